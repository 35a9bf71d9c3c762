//! A worker that is told to hold leaves jobs where they are, finishes what runs, and says why.

use std::sync::Arc;
use std::time::Duration;

use job_queue::{
    Holder, Job, JobKind, Outcome, QueueWorker, Registry, Waker, WhyNotRunning, list_workers,
    why_not_running,
};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::support::{
    Hasty, PATIENCE, Ping, Started, handler, load, ping, put, quick, wait_for_state,
};

const REASON: &str = "the cluster lets us make nothing";

fn held_open(gate: &Arc<Notify>) -> Registry {
    let gate = gate.clone();
    Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        let gate = gate.clone();
        async move {
            gate.notified().await;
            Outcome::Done
        }
    }))
}

async fn wait_until_told(pool: &PgPool, reason: Option<&str>) {
    let told = async {
        let mut connection = pool.acquire().await.unwrap();
        while list_workers(&mut connection, 1)
            .await
            .unwrap()
            .first()
            .is_none_or(|worker| worker.holds_because.as_deref() != reason)
        {
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("the worker's row in time");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_held_worker_claims_nothing_finishes_what_runs_and_goes_on_when_let_go(pool: PgPool) {
    let (gate, holder) = (Arc::new(Notify::new()), Holder::default());
    let worker = QueueWorker::builder(pool.clone(), held_open(&gate), quick("w"));
    let worker = Started::new(worker.hold_with(&holder).build());
    let before = put(&pool, &ping(1)).await;
    wait_for_state(&pool, before, "running").await;

    holder.hold(&[JobKind(Ping::KIND)], REASON);
    // A claim that was under way when it was told may still take what it finds.
    wait_until_told(&pool, Some(REASON)).await;
    let held = put(&pool, &ping(2)).await;
    Waker::new(pool.clone()).wake();
    gate.notify_one();
    wait_for_state(&pool, before, "done").await;
    // Three polls.
    tokio::time::sleep(Duration::from_millis(900)).await;
    let job = load(&pool, held).await;
    assert_eq!((job.state.as_str(), job.attempt), ("ready", 0));

    holder.let_go();
    wait_for_state(&pool, held, "running").await;
    gate.notify_one();
    wait_for_state(&pool, held, "done").await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_held_worker_ends_when_it_is_drained(pool: PgPool) {
    let holder = Holder::default();
    holder.hold(&[JobKind(Ping::KIND)], REASON);
    let worker = QueueWorker::builder(pool.clone(), held_open(&Arc::default()), quick("w"));
    let worker = Started::new(worker.hold_with(&holder).build());
    let held = put(&pool, &ping(1)).await;
    worker.drain().await;
    assert_eq!(load(&pool, held).await.state, "ready");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn why_a_job_waits_for_workers_that_hold_is_told_in_their_words(pool: PgPool) {
    let holder = Holder::default();
    holder.hold(&[JobKind(Ping::KIND)], REASON);
    let worker = QueueWorker::builder(pool.clone(), held_open(&Arc::default()), quick("w"));
    let worker = Started::new(worker.hold_with(&holder).build());
    let held = put(&pool, &ping(1)).await;
    wait_until_told(&pool, Some(REASON)).await;
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, held).await.unwrap();
    let told = [WhyNotRunning::WorkersHold {
        reason: REASON.to_owned(),
    }];
    assert_eq!(reasons, told);

    holder.let_go();
    wait_until_told(&pool, None).await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_not_held_is_claimed_meanwhile(pool: PgPool) {
    let holder = Holder::default();
    holder.hold(&[JobKind(Ping::KIND)], REASON);
    let registry = held_open(&Arc::default())
        .register::<Hasty, _>(handler(|_: Hasty, _| async { Outcome::Done }));
    let worker = QueueWorker::builder(pool.clone(), registry, quick("w"));
    let worker = Started::new(worker.hold_with(&holder).build());
    let held = put(&pool, &ping(1)).await;
    let other = put(&pool, &Hasty).await;
    wait_for_state(&pool, other, "done").await;
    assert_eq!(load(&pool, held).await.state, "ready");
    worker.drain().await;
}
