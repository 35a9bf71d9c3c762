//! What may be claimed, and by whom.

use std::time::Duration;

use job_queue::{JobAction, drain_worker, pause_queue};
use session_identity::WorkerIncarnation;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    CRASH_LIMIT, DRAIN, LEASE, PAUSE, QUEUE_LIMIT, ROW_LOCKS, SKIP_LOCKED, VERSIONS,
    assert_held_by, claim, exchange, let_leases_run_out, state_of,
};
use crate::support::{PATIENCE, ping, put};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    }
}

pub(super) async fn crashes_park_a_job(pool: &PgPool, statement: &str) -> bool {
    let poison = put(pool, &ping(13)).await;
    let mut runs = 0;
    while runs < 30 && claim(pool, statement, Uuid::now_v7()).await.is_some() {
        runs += 1;
        let_leases_run_out(pool).await;
    }
    runs == 3 && state_of(pool, poison).await == "dead"
}

async fn register(pool: &PgPool, incarnation: Uuid, name: &str) {
    sqlx::query!(
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
         VALUES ($1, $2, 'host', 'build', '{test}', '{ping}', 1)",
        incarnation,
        name,
    )
    .execute(pool)
    .await
    .unwrap();
}

/// A worker dies, and its restart under the same name looks alive.
pub(super) async fn a_lease_runs_out_whoever_lives(pool: &PgPool, statement: &str) -> bool {
    let (dead, restarted) = (Uuid::now_v7(), Uuid::now_v7());
    register(pool, dead, "same-name").await;
    put(pool, &ping(1)).await;
    claim(pool, statement, dead).await.unwrap();
    let_leases_run_out(pool).await;
    register(pool, restarted, "same-name").await;
    claim(pool, statement, restarted).await.is_some()
}

pub(super) async fn a_pause_counts(pool: &PgPool, statement: &str) -> bool {
    put(pool, &ping(1)).await;
    let mut connection = pool.acquire().await.unwrap();
    pause_queue(&mut connection, "test", None, &dana())
        .await
        .unwrap();
    claim(pool, statement, Uuid::now_v7()).await.is_none()
}

pub(super) async fn a_drain_counts(pool: &PgPool, statement: &str) -> bool {
    let worker = Uuid::now_v7();
    register(pool, worker, "w").await;
    put(pool, &ping(1)).await;
    let mut connection = pool.acquire().await.unwrap();
    let incarnation = WorkerIncarnation::from_uuid(worker);
    drain_worker(&mut connection, incarnation, &dana())
        .await
        .unwrap();
    claim(pool, statement, worker).await.is_none()
}

pub(super) async fn a_limit_counts(pool: &PgPool, statement: &str) -> bool {
    for number in 0..3 {
        put(pool, &ping(number)).await;
    }
    let limit = "INSERT INTO queues (name, concurrency) VALUES ('test', 2)";
    sqlx::raw_sql(limit).execute(pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 3).await;
    answer.unwrap().claimed.len() == 2
}

pub(super) async fn an_unknown_version_stays(pool: &PgPool, statement: &str) -> bool {
    put(pool, &ping(1)).await;
    let newer = "UPDATE jobs SET kind_version = 2";
    sqlx::raw_sql(newer).execute(pool).await.unwrap();
    claim(pool, statement, Uuid::now_v7()).await.is_none()
}

/// Somebody else has the first job's row locked for longer than a claim may take.
pub(super) async fn a_locked_job_is_passed_over(pool: &PgPool, statement: &str) -> bool {
    let locked = put(pool, &ping(1)).await;
    let free = put(pool, &ping(2)).await;
    let mut other = pool.begin().await.unwrap();
    sqlx::query!(
        "SELECT id FROM jobs WHERE id = $1 FOR UPDATE",
        locked.as_uuid()
    )
    .fetch_one(&mut *other)
    .await
    .unwrap();
    let mut claimer = PgConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    sqlx::raw_sql("SET statement_timeout = '2s'")
        .execute(&mut claimer)
        .await
        .unwrap();
    let answer = exchange(&mut claimer, statement, Uuid::now_v7(), &[], 1).await;
    other.rollback().await.unwrap();
    answer.is_ok_and(|answer| answer.claimed == [(free, 1)])
}

/// Two claims of one job, the second begun before the first has committed.
pub(super) async fn two_claimers_share_nothing(pool: &PgPool, statement: &str) -> bool {
    put(pool, &ping(1)).await;
    let mut first = pool.begin().await.unwrap();
    let taken = exchange(&mut first, statement, Uuid::now_v7(), &[], 1).await;
    assert_eq!(taken.unwrap().claimed.len(), 1);
    let (second, text) = (pool.clone(), statement.to_owned());
    let second = tokio::spawn(async move { claim(&second, &text, Uuid::now_v7()).await });
    let give_up = Instant::now() + PATIENCE;
    while !second.is_finished() && !somebody_waits(&mut first).await {
        assert!(
            Instant::now() < give_up,
            "the second claim neither ends nor waits"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.commit().await.unwrap();
    second.await.unwrap().is_none()
}

async fn somebody_waits(connection: &mut PgConnection) -> bool {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event_type = 'Lock')
           AS "waits!""#
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_crash_limit_is_what_ends_poison(pool: PgPool) {
    assert_held_by(CRASH_LIMIT, &pool, crashes_park_a_job).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_lease_and_no_workers_name_is_what_gives_up_a_run(pool: PgPool) {
    assert_held_by(LEASE, &pool, a_lease_runs_out_whoever_lives).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_keeps_a_pause(pool: PgPool) {
    assert_held_by(PAUSE, &pool, a_pause_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_keeps_a_drain(pool: PgPool) {
    assert_held_by(DRAIN, &pool, a_drain_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_keeps_a_limit(pool: PgPool) {
    assert_held_by(QUEUE_LIMIT, &pool, a_limit_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_leaves_unknown_versions_to_others(pool: PgPool) {
    assert_held_by(VERSIONS, &pool, an_unknown_version_stays).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn skipping_locked_rows_is_what_keeps_claimers_from_waiting(pool: PgPool) {
    assert_held_by(SKIP_LOCKED, &pool, a_locked_job_is_passed_over).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn locking_rows_is_what_keeps_two_claimers_apart(pool: PgPool) {
    assert_held_by(ROW_LOCKS, &pool, two_claimers_share_nothing).await;
}
