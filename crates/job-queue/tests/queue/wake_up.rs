//! New work is found with LISTEN and without.

use std::{sync::Arc, time::Duration};

use job_queue::{CHANNEL, Outcome, QueueWorker, Registry, Waker, WorkerConfig};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener},
};
use tokio::{sync::Notify, time::Instant};

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

/// Sent after the notifications that are to be counted: they come in the order of the commits.
const MARK: &str = "mark";

pub(crate) async fn listener(pool: &PgPool) -> PgListener {
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen_all([CHANNEL, MARK]).await.unwrap();
    listener
}

/// Counts what came before the mark.
pub(crate) async fn count_until_mark(pool: &PgPool, listener: &mut PgListener) -> u32 {
    sqlx::raw_sql("NOTIFY mark").execute(pool).await.unwrap();
    let mut count = 0;
    let counted = async {
        while listener.recv().await.unwrap().channel() != MARK {
            count += 1;
        }
    };
    tokio::time::timeout(PATIENCE, counted)
        .await
        .expect("the mark in time");
    count
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_enqueue_notifies_nobody_by_itself(pool: PgPool) {
    let mut listener = listener(&pool).await;
    for number in 0..20 {
        put(&pool, &ping(number)).await;
    }
    assert_eq!(count_until_mark(&pool, &mut listener).await, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_hundred_wakes_are_a_few_notifications(pool: PgPool) {
    let mut listener = listener(&pool).await;
    let waker = Waker::new(pool.clone());
    let began = Instant::now();
    for _ in 0..200 {
        waker.wake();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The first at once, then one each 20 ms at most, and the last wake is owed one too.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let most = began.elapsed().as_millis() / 20 + 1;
    let sent = count_until_mark(&pool, &mut listener).await;
    assert!(
        (2..=most).contains(&u128::from(sent)),
        "{sent} of at most {most}"
    );
}
