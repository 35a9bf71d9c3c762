//! What statements read: rows by plan and by the server's own count, never by time.

use job_queue::{CountBy, JobFilter, JobState, count_jobs, list_queues};
use serde_json::Value;
use session_identity::JobId;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::{EXCHANGE, bound, exchange};

const WAITING: i32 = 50_000;
const ENDED: i32 = 100_000;
/// Claimed at once.
const SLOTS: i32 = 10;

pub(super) async fn fill(pool: &PgPool, state: &str, count: i32) {
    insert(pool, state, count).await;
    sqlx::raw_sql("ANALYZE jobs").execute(pool).await.unwrap();
}

/// Without a word to the planner.
pub(super) async fn insert(pool: &PgPool, state: &str, count: i32) {
    sqlx::query!(
        "INSERT INTO jobs (id, queue, kind, payload, state, finished_at)
         SELECT gen_random_uuid(), 'test', 'ping', '{}', $1::text,
                CASE WHEN $1 = 'done' THEN now() END
         FROM generate_series(1, $2::integer)",
        state,
        count,
    )
    .execute(pool)
    .await
    .unwrap();
}

/// As the loops that claim have it.
async fn connect(pool: &PgPool) -> PgConnection {
    let mut connection = PgConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    sqlx::raw_sql("SET enable_seqscan = off")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// The plan of a claim that is undone, with what it met.
async fn plan_to_claim(pool: &PgPool, statement: &str) -> Value {
    let mut connection = connect(pool).await;
    let mut transaction = connection.begin().await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}");
    let plan = bound(explain, "test", Uuid::now_v7(), &[], i64::from(SLOTS))
        .fetch_one(&mut *transaction)
        .await;
    let mut plan: Value = plan.unwrap().get(0);
    transaction.rollback().await.unwrap();
    plan[0]["Plan"].take()
}

/// The rows that the hungriest part of the claim's plan met, kept or not.
async fn rows_met(pool: &PgPool) -> f64 {
    hungriest(&plan_to_claim(pool, EXCHANGE).await)
}

/// The blocks of 8 KiB that a claim looks at: what is passed over within an index is no row.
pub(super) async fn blocks_met(pool: &PgPool, statement: &str) -> i64 {
    let plan = plan_to_claim(pool, statement).await;
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|name| plan[name].as_i64().unwrap())
        .sum()
}

fn hungriest(plan: &Value) -> f64 {
    let figure = |name: &str| plan[name].as_f64().unwrap_or(0.0);
    let met = (figure("Actual Rows") + figure("Rows Removed by Filter")) * figure("Actual Loops");
    let parts = plan["Plans"].as_array().map_or(&[][..], Vec::as_slice);
    parts.iter().map(hungriest).fold(met, f64::max)
}

/// Fault F9.
pub(super) async fn claims_read_what_they_take(pool: &PgPool) -> bool {
    rows_met(pool).await <= 2.0 * f64::from(SLOTS)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_partial_index_is_what_spares_a_claim_the_backlog(pool: PgPool) {
    fill(&pool, "ready", WAITING).await;
    assert!(
        claims_read_what_they_take(&pool).await,
        "{}",
        rows_met(&pool).await
    );
    sqlx::raw_sql("DROP INDEX jobs_claimable")
        .execute(&pool)
        .await
        .unwrap();
    assert!(rows_met(&pool).await >= f64::from(WAITING));
}

/// Claims as many as there are slots, and undoes it; the rows of `jobs` read for it, and the jobs.
pub(super) async fn read_to_claim(pool: &PgPool) -> (i64, Vec<(JobId, i64)>) {
    let mut connection = connect(pool).await;
    let mut transaction = connection.begin().await.unwrap();
    let slots = i64::from(SLOTS);
    let answer = exchange(&mut transaction, EXCHANGE, Uuid::now_v7(), &[], slots).await;
    let read = rows_read(&mut transaction).await;
    transaction.rollback().await.unwrap();
    (read, answer.unwrap().claimed)
}

/// Rows of `jobs` that the transaction has read so far, by whatever way.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) AS "read!"
           FROM pg_stat_xact_user_tables WHERE relname = 'jobs'"#
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Fault F10. Lists the queues, which have these live jobs and no dead ones; returns the rows it read.
pub(super) async fn read_to_list_queues(pool: &PgPool, live: i64) -> i64 {
    let mut transaction = pool.begin().await.unwrap();
    let queues = list_queues(&mut transaction).await.unwrap();
    assert_eq!((queues[0].ready, queues[0].dead), (live, 0));
    rows_read(&mut transaction).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_index_of_dead_jobs_is_what_spares_a_count_those_that_are_done(pool: PgPool) {
    fill(&pool, "ready", 50).await;
    fill(&pool, "done", ENDED).await;
    let read = read_to_list_queues(&pool, 50).await;
    assert!(read <= 100, "{read} rows were read to count 50");
    sqlx::raw_sql("DROP INDEX jobs_dead")
        .execute(&pool)
        .await
        .unwrap();
    let read = read_to_list_queues(&pool, 50).await;
    assert!(read > i64::from(ENDED / 2), "{read}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn counting_live_jobs_reads_no_row_that_is_done(pool: PgPool) {
    fill(&pool, "ready", 50).await;
    fill(&pool, "done", ENDED).await;
    let mut transaction = pool.begin().await.unwrap();
    let filter = JobFilter {
        state: Some(JobState::Ready),
        ..JobFilter::default()
    };
    let counts = count_jobs(&mut transaction, &filter, &[CountBy::Queue])
        .await
        .unwrap();
    assert_eq!(counts[0].count, 50);
    let read = rows_read(&mut transaction).await;
    assert!(read <= 100, "{read} rows were read to count 50");
}
