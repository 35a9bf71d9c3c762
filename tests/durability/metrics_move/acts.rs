//! What has to happen, beside jobs that run.

use job_queue::{
    JobAction, cancel_job, evict_worker, list_workers, pause_queue, pause_schedule, resume_queue,
    resume_schedule, undrain_worker,
};
use session_identity::JobId;
use sqlx::PgPool;
use sqlx::types::Uuid;
use std::time::Duration;

use super::scrapes::{Scrapes, series_named};
use crate::bench::Bench;

const QUEUE: &str = "durability";
const SCHEDULE: &str = "ledger_tick";

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("to see it move".to_owned()),
    }
}

async fn execute(pool: &PgPool, statements: &'static str) {
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

/// A job whose payload is not what its kind reads.
pub(super) async fn put_unreadable(pool: &PgPool) {
    execute(
        pool,
        "INSERT INTO jobs (id, queue, kind, payload)
         VALUES ((lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7000a'
                 || repeat('0', 15))::uuid, 'durability', 'note', '7')",
    )
    .await;
}

/// A job of a kind that no worker knows.
pub(super) async fn put_unhandled(pool: &PgPool) {
    execute(
        pool,
        "INSERT INTO jobs (id, queue, kind, payload)
         VALUES (gen_random_uuid(), 'durability', 'nobody', '{}')",
    )
    .await;
}

pub(super) async fn no_longer_unhandled(pool: &PgPool) {
    execute(pool, "DELETE FROM jobs WHERE kind = 'nobody'").await;
}

/// A job that is due tomorrow.
pub(super) async fn put_later(pool: &PgPool) {
    execute(
        pool,
        "INSERT INTO jobs (id, queue, kind, payload, run_at)
         VALUES (gen_random_uuid(), 'durability', 'note', '{}', now() + interval '1 day')",
    )
    .await;
}

pub(super) async fn cancel(pool: &PgPool, job: Uuid) {
    let mut connection = pool.acquire().await.unwrap();
    let id = JobId::from_uuid(job);
    cancel_job(&mut connection, id, &dana()).await.unwrap();
}

/// Takes the jobs of the one worker, which learns of it and has its late answer refused.
pub(super) async fn a_worker_is_evicted(bench: &mut Bench, scrapes: &mut Scrapes) {
    let mut connection = bench.pool().acquire().await.unwrap();
    let workers = list_workers(&mut connection, 10).await.unwrap();
    let worker = workers[0].incarnation;
    let taken = evict_worker(&mut connection, worker, &dana())
        .await
        .unwrap();
    assert_eq!(taken.len(), 1);
    for (series, at_least) in [
        ("carrel_job_leases_lost_total".to_owned(), 1.0),
        (
            series_named("carrel_jobs_stale_total", &[("kind", "told")]),
            1.0,
        ),
        (
            series_named("carrel_job_rescues_total", &[("reason", "evict")]),
            1.0,
        ),
        (
            series_named("carrel_job_actions_total", &[("verb", "worker.evict")]),
            1.0,
        ),
        (
            series_named("carrel_oldest_ready_job_seconds", &[("queue", QUEUE)]),
            0.001,
        ),
    ] {
        scrapes.reach(&series, at_least).await;
    }
    let claims_again = undrain_worker(&mut connection, worker, &dana()).await;
    claims_again.unwrap();
    cancel(bench.pool(), taken[0].as_uuid()).await;
}

pub(super) async fn a_queue_is_paused(pool: &PgPool, scrapes: &mut Scrapes) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    pause_queue(connection, QUEUE, None, &dana()).await.unwrap();
    let paused = series_named("carrel_queue_paused", &[("queue", QUEUE)]);
    scrapes.reach(&paused, 1.0).await;
    resume_queue(connection, QUEUE, &dana()).await.unwrap();
    scrapes.reach_zero(&paused).await;
}

/// A lease that ran out stays so while no worker reads its job's kind; then the job is taken over,
/// for the third time.
pub(super) async fn a_lease_runs_out(pool: &PgPool, scrapes: &mut Scrapes) {
    execute(
        pool,
        "INSERT INTO jobs (id, queue, kind, payload, state, attempt, crash_count, run_token,
                           lease_owner, lease_until, started_at)
         VALUES (gen_random_uuid(), 'durability', 'nobody', '{}', 'running', 1, 2, 3,
                 gen_random_uuid(), now() - interval '1 second', now())",
    )
    .await;
    scrapes.reach("carrel_jobs_without_lease", 1.0).await;
    execute(pool, "UPDATE jobs SET kind = 'told' WHERE kind = 'nobody'").await;
    scrapes.reach("carrel_jobs_crash_parked_total", 1.0).await;
    let dead = series_named("carrel_jobs_dead_total", &[("kind", "told")]);
    scrapes.reach(&dead, 1.0).await;
    let rescued = series_named("carrel_job_rescues_total", &[("reason", "lease")]);
    scrapes.reach(&rescued, 1.0).await;
}

pub(super) async fn a_schedule_is_missed_and_paused(pool: &PgPool, scrapes: &mut Scrapes) {
    let of_schedule = |metric: &str| series_named(metric, &[("schedule", SCHEDULE)]);
    let ticks = of_schedule("carrel_schedule_ticks_total");
    scrapes.reach(&ticks, 1.0).await;
    execute(
        pool,
        "UPDATE schedules SET last_tick_at = now() - interval '10 seconds'",
    )
    .await;
    let missed = of_schedule("carrel_schedule_ticks_missed_total");
    scrapes.reach(&missed, 8.0).await;
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let lasts = Duration::from_mins(10);
    let paused = pause_schedule(connection, SCHEDULE, lasts, &dana()).await;
    paused.unwrap();
    let shown = of_schedule("carrel_schedule_paused");
    scrapes.reach(&shown, 1.0).await;
    let resumed = resume_schedule(connection, SCHEDULE, &dana()).await;
    resumed.unwrap();
    scrapes.reach_zero(&shown).await;
}

/// A session listens with a transaction open, while more is notified than one page holds and more rows
/// die than are worth telling of. The last two days lose their partitions: after a midnight the last one
/// is not there yet.
pub(super) async fn the_database_is_held_up(pool: &PgPool, scrapes: &mut Scrapes) {
    let mut holder = pool.acquire().await.unwrap().detach();
    // Alone, since it takes effect with the end of its transaction.
    let listens = sqlx::raw_sql("LISTEN held_up").execute(&mut holder).await;
    listens.unwrap();
    let holds = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs;
                 SELECT pg_advisory_xact_lock(1)";
    sqlx::raw_sql(holds).execute(&mut holder).await.unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { execute(&pool, "SELECT pg_advisory_xact_lock(1)").await }
    });
    scrapes.reach("carrel_database_lock_waits", 1.0).await;
    execute(
        pool,
        "SELECT pg_notify('held_up', repeat('x', 7000) || number) FROM generate_series(1, 50) AS number;
         INSERT INTO jobs (id, queue, kind, payload, state, finished_at)
         SELECT gen_random_uuid(), 'durability', 'dies', '{}', 'done', now()
         FROM generate_series(1, 1500);
         DELETE FROM jobs WHERE kind = 'dies';
         DO $$ BEGIN
            FOR ahead IN 6..7 LOOP
                EXECUTE format('DROP TABLE IF EXISTS job_attempts_%s',
                               to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD'));
            END LOOP;
         END $$",
    )
    .await;
    scrapes
        .reach(
            "carrel_database_notification_queue_ratio",
            f64::MIN_POSITIVE,
        )
        .await;
    scrapes.reach("carrel_database_xmin_age_seconds", 0.5).await;
    scrapes
        .reach("carrel_jobs_dead_tuple_ratio", f64::MIN_POSITIVE)
        .await;
    let ended = sqlx::raw_sql("ROLLBACK; UNLISTEN *");
    ended.execute(&mut holder).await.unwrap();
    waiting.await.unwrap();
}
