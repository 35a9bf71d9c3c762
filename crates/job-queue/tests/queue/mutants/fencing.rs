//! What a run's end may write.

use sqlx::PgPool;
use uuid::Uuid;

use super::{
    BACKOFF, CANCEL_AT_A_CRASH, CANCEL_AT_THE_END, End, PERMANENT, RUN_TOKEN, assert_held_by,
    claim, finish, let_leases_run_out, state_of,
};
use crate::support::{ping, put};

/// Fault F4: run 1 wakes up while run 2 is on.
pub(super) async fn a_stale_answer_is_refused(pool: &PgPool, statement: &str) -> bool {
    let (slow, quick) = (Uuid::now_v7(), Uuid::now_v7());
    let job = put(pool, &ping(1)).await;
    let first = claim(pool, statement, slow).await.unwrap();
    let_leases_run_out(pool).await;
    assert_eq!(
        claim(pool, statement, quick).await,
        Some((job, first.1 + 1))
    );
    let is_taken = finish(pool, statement, slow, End::new(first, "done")).await;
    !is_taken && state_of(pool, job).await == "running"
}

/// Fault F3.
pub(super) async fn a_retry_waits(pool: &PgPool, statement: &str) -> bool {
    let worker = Uuid::now_v7();
    put(pool, &ping(1)).await;
    let run = claim(pool, statement, worker).await.unwrap();
    let delay_ms = 60_000;
    let end = End {
        delay_ms,
        ..End::new(run, "retry")
    };
    assert!(finish(pool, statement, worker, end).await);
    claim(pool, statement, worker).await.is_none()
}

/// Fault F6: a handler says that it can never succeed, with attempts left.
pub(super) async fn a_permanent_failure_is_the_end(pool: &PgPool, statement: &str) -> bool {
    let worker = Uuid::now_v7();
    let job = put(pool, &ping(1)).await;
    let run = claim(pool, statement, worker).await.unwrap();
    assert!(finish(pool, statement, worker, End::new(run, "dead")).await);
    claim(pool, statement, worker).await.is_none() && state_of(pool, job).await == "dead"
}

async fn ask_to_stop(pool: &PgPool) {
    let ask = "UPDATE jobs SET cancel_requested_at = now()";
    sqlx::raw_sql(ask).execute(pool).await.unwrap();
}

pub(super) async fn a_cancel_outlasts_a_retry(pool: &PgPool, statement: &str) -> bool {
    let worker = Uuid::now_v7();
    let job = put(pool, &ping(1)).await;
    let run = claim(pool, statement, worker).await.unwrap();
    ask_to_stop(pool).await;
    assert!(finish(pool, statement, worker, End::new(run, "retry")).await);
    state_of(pool, job).await == "cancelled"
}

pub(super) async fn a_cancel_outlasts_a_crash(pool: &PgPool, statement: &str) -> bool {
    let job = put(pool, &ping(1)).await;
    claim(pool, statement, Uuid::now_v7()).await.unwrap();
    ask_to_stop(pool).await;
    let_leases_run_out(pool).await;
    let taken = claim(pool, statement, Uuid::now_v7()).await;
    taken.is_none() && state_of(pool, job).await == "cancelled"
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_token_is_what_refuses_a_stale_answer(pool: PgPool) {
    assert_held_by(RUN_TOKEN, &pool, a_stale_answer_is_refused).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_stored_time_is_what_keeps_a_retry_back(pool: PgPool) {
    assert_held_by(BACKOFF, &pool, a_retry_waits).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_verb_dead_is_what_ends_a_permanent_failure(pool: PgPool) {
    assert_held_by(PERMANENT, &pool, a_permanent_failure_is_the_end).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_end_of_a_run_is_where_a_requested_cancel_counts(pool: PgPool) {
    assert_held_by(CANCEL_AT_THE_END, &pool, a_cancel_outlasts_a_retry).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_end_of_a_lease_is_where_a_requested_cancel_counts(pool: PgPool) {
    assert_held_by(CANCEL_AT_A_CRASH, &pool, a_cancel_outlasts_a_crash).await;
}
