//! What may be claimed, and by whom.

use std::time::Duration;

use job_queue::{drain_worker, limit_all_queues, pause_queue};
use session_identity::{JobId, WorkerIncarnation};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ALL_QUEUES_LIMIT, CRASH_LIMIT, DRAIN, End, LEASE, PAUSE, QUEUE_LIMIT, ROW_LOCKS, SKIP_LOCKED,
    TURNS, UNSEEN_CLAIMS, UNSEEN_OVER_ALL, VERSIONS, assert_held_by, claim, exchange,
    exchange_from, let_leases_run_out, state_of,
};
use crate::support::{PATIENCE, dana, ping, put};

/// Fault F2.
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

/// Fault F1: a worker dies, and its restart under the same name looks alive.
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

/// A claim begins, waits for the row of a run that it ends, and goes on when another has filled
/// the queue: what it sees of the queue is older than that.
pub(super) async fn a_late_claim_counts_what_it_did_not_see(
    pool: &PgPool,
    statement: &str,
) -> bool {
    let worker = Uuid::now_v7();
    put(pool, &ping(1)).await;
    let ending = claim(pool, statement, worker).await.unwrap();
    let elsewhere = "UPDATE jobs SET queue = 'elsewhere';
                     INSERT INTO queues (name, concurrency) VALUES ('test', 1)";
    sqlx::raw_sql(elsewhere).execute(pool).await.unwrap();
    for number in 2..=3 {
        put(pool, &ping(number)).await;
    }
    claims_nothing_too_late(pool, statement, worker, ending).await
}

/// The same over all queues, where the run that ends has its place until it has ended.
pub(super) async fn a_late_claim_counts_over_all(pool: &PgPool, statement: &str) -> bool {
    let worker = Uuid::now_v7();
    limit_all(pool, 2).await;
    put(pool, &ping(1)).await;
    let ending = claim(pool, statement, worker).await.unwrap();
    for number in 2..=4 {
        put(pool, &ping(number)).await;
    }
    claims_nothing_too_late(pool, statement, worker, ending).await
}

/// The claim would take two, and may take none once the other has taken one.
async fn claims_nothing_too_late(
    pool: &PgPool,
    statement: &str,
    worker: Uuid,
    ending: (JobId, i64),
) -> bool {
    let mut holder = pool.begin().await.unwrap();
    lock(&mut holder, ending.0).await;
    let (late, text) = (pool.clone(), statement.to_owned());
    let late = tokio::spawn(async move {
        let mut connection = late.acquire().await.unwrap();
        let end = End::new(ending, "done");
        exchange(&mut connection, &text, worker, &[end], 2).await
    });
    wait_for_a_waiter(pool, || late.is_finished()).await;
    assert!(claim(pool, statement, Uuid::now_v7()).await.is_some());
    holder.rollback().await.unwrap();
    let answer = late.await.unwrap().unwrap();
    assert_eq!(answer.finished, [ending]);
    answer.claimed.is_empty()
}

async fn limit_all(pool: &PgPool, concurrency: i32) {
    let mut connection = pool.acquire().await.unwrap();
    limit_all_queues(&mut connection, Some(concurrency), &dana())
        .await
        .unwrap();
}

pub(super) async fn a_limit_over_all_counts(pool: &PgPool, statement: &str) -> bool {
    for number in 0..4 {
        put(pool, &ping(number)).await;
    }
    let elsewhere = "UPDATE jobs SET queue = 'other' WHERE payload->>'number' = '0'";
    sqlx::raw_sql(elsewhere).execute(pool).await.unwrap();
    limit_all(pool, 3).await;
    let mut connection = pool.acquire().await.unwrap();
    let other = exchange_from(&mut connection, statement, "other", Uuid::now_v7(), &[], 4);
    assert_eq!(other.await.unwrap().claimed.len(), 1);
    let answer = exchange(&mut connection, statement, Uuid::now_v7(), &[], 4).await;
    answer.unwrap().claimed.len() == 2
}

/// A worker ends a run and would claim the next in the same statement, while a worker of another
/// queue waits for a place.
pub(super) async fn a_place_goes_round(pool: &PgPool, statement: &str) -> bool {
    let (busy, waiting) = (Uuid::now_v7(), Uuid::now_v7());
    for number in 1..=3 {
        put(pool, &ping(number)).await;
    }
    let elsewhere = "UPDATE jobs SET queue = 'other' WHERE payload->>'number' = '3'";
    sqlx::raw_sql(elsewhere).execute(pool).await.unwrap();
    limit_all(pool, 1).await;
    let running = claim(pool, statement, busy).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let asked = exchange_from(&mut connection, statement, "other", waiting, &[], 1).await;
    assert!(asked.unwrap().claimed.is_empty(), "the place is taken");
    // As though it had asked just now, however slow this was.
    let still = "UPDATE queue_turns SET asked_at = now() + interval '1 hour'";
    sqlx::raw_sql(still).execute(pool).await.unwrap();
    let end = End::new(running, "done");
    let ended = exchange(&mut connection, statement, busy, &[end], 1).await;
    let kept = ended.unwrap().claimed;
    let served = exchange_from(&mut connection, statement, "other", waiting, &[], 1).await;
    kept.is_empty() && served.unwrap().claimed.len() == 1
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
    lock(&mut other, locked).await;
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
    wait_for_a_waiter(pool, || second.is_finished()).await;
    first.commit().await.unwrap();
    second.await.unwrap().is_none()
}

pub(super) async fn lock(connection: &mut PgConnection, job: JobId) {
    sqlx::query!(
        "SELECT id FROM jobs WHERE id = $1 FOR UPDATE",
        job.as_uuid()
    )
    .fetch_one(connection)
    .await
    .unwrap();
}

/// Waits until a claim waits for a lock, or has ended without. Outside of any transaction: inside of
/// one the server shows its activity as it was at the first look.
async fn wait_for_a_waiter(pool: &PgPool, has_ended: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !has_ended() && !somebody_waits(pool).await {
        assert!(Instant::now() < give_up, "the claim neither ends nor waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn somebody_waits(pool: &PgPool) -> bool {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event_type = 'Lock')
           AS "waits!""#
    )
    .fetch_one(pool)
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
async fn the_number_of_claims_is_what_tells_a_late_claimer_of_the_others(pool: PgPool) {
    assert_held_by(
        UNSEEN_CLAIMS,
        &pool,
        a_late_claim_counts_what_it_did_not_see,
    )
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_claim_itself_is_what_keeps_the_limit_over_all_queues(pool: PgPool) {
    assert_held_by(ALL_QUEUES_LIMIT, &pool, a_limit_over_all_counts).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_number_of_claims_is_what_tells_of_the_others_in_all_queues(pool: PgPool) {
    assert_held_by(UNSEEN_OVER_ALL, &pool, a_late_claim_counts_over_all).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn turns_are_what_makes_a_busy_queue_leave_places_to_others(pool: PgPool) {
    assert_held_by(TURNS, &pool, a_place_goes_round).await;
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
