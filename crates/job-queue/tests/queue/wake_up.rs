//! New work is found with LISTEN and without.

use std::sync::Arc;

use job_queue::{Outcome, QueueWorker, Registry, Waker, WorkerConfig};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::Notify;

use crate::support::{PATIENCE, Ping, Started, handler, ping, put};

fn announcing(started: &Arc<Notify>) -> Registry {
    let started = started.clone();
    Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        started.notify_one();
        async { Outcome::Done }
    }))
}

async fn await_start(started: &Notify) {
    tokio::time::timeout(PATIENCE, started.notified())
        .await
        .expect("a start in time");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_listen_dead_the_poll_still_starts_a_job(pool: PgPool) {
    let started = Arc::new(Notify::new());
    // Nothing listens on the discard port, so every attempt to LISTEN fails.
    let nowhere = PgConnectOptions::clone(&pool.connect_options())
        .host("127.0.0.1")
        .port(9);
    let worker = QueueWorker::builder(pool.clone(), announcing(&started), WorkerConfig::new("w"))
        .listen_with(nowhere)
        .build();
    let worker = Started::new(worker);
    for _ in 0..3 {
        put(&pool, &ping(1)).await;
        await_start(&started).await;
    }
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_woken_worker_starts_each_job(pool: PgPool) {
    let started = Arc::new(Notify::new());
    let worker = QueueWorker::builder(pool.clone(), announcing(&started), WorkerConfig::new("w"));
    let worker = Started::new(worker.build());
    let waker = Waker::new(pool.clone());
    for _ in 0..5 {
        put(&pool, &ping(1)).await;
        waker.wake();
        await_start(&started).await;
    }
    worker.drain().await;
}
