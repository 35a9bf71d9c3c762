//! New work is found at once with LISTEN, and soon without.

use std::{sync::Arc, time::Duration};

use job_queue::{Outcome, QueueWorker, Registry, Waker, WorkerConfig};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{sync::Notify, time::Instant};

use crate::support::{Ping, Started, handler, ping, put};

fn announcing(started: &Arc<Notify>) -> Registry {
    let started = started.clone();
    Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        started.notify_one();
        async { Outcome::Done }
    }))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_listen_dead_a_job_still_starts_within_its_poll(pool: PgPool) {
    let started = Arc::new(Notify::new());
    // Nothing listens on the discard port, so every attempt to LISTEN fails.
    let nowhere = PgConnectOptions::clone(&pool.connect_options())
        .host("127.0.0.1")
        .port(9);
    let worker = QueueWorker::builder(pool.clone(), announcing(&started), WorkerConfig::new("w"))
        .listen_with(nowhere)
        .build();
    let worker = Started::new(worker);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..3 {
        let asked = Instant::now();
        put(&pool, &ping(1)).await;
        tokio::time::timeout(Duration::from_millis(1_500), started.notified())
            .await
            .expect("a start within 1.5 s");
        println!("started after {:?}", asked.elapsed());
    }
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_woken_worker_starts_a_job_long_before_its_poll(pool: PgPool) {
    let started = Arc::new(Notify::new());
    let worker = QueueWorker::builder(pool.clone(), announcing(&started), WorkerConfig::new("w"));
    let worker = Started::new(worker.build());
    let waker = Waker::new(pool.clone());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut quick = 0;
    for _ in 0..5 {
        let asked = Instant::now();
        put(&pool, &ping(1)).await;
        waker.wake();
        started.notified().await;
        quick += i32::from(asked.elapsed() < Duration::from_millis(150));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    // The poll alone, 500 ms to 1 s apart, could be that quick once by luck, not four times.
    assert!(quick >= 4, "{quick} of 5 starts were quick");
    worker.drain().await;
}
