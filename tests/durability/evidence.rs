//! The rows that are judged.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{PgPool, Row as _};

use crate::checker::{AttemptRow, Change, Entry, Evidence, Intent, JobRow};

/// Everything there is.
pub(crate) async fn gather(pool: &PgPool, intents: &[Intent]) -> Result<Evidence, sqlx::Error> {
    Ok(Evidence {
        intents: intents.to_vec(),
        jobs: jobs(pool, None).await?,
        attempts: attempts(pool).await?,
        ledger: ledger(pool).await?,
        changes: changes(pool).await?,
        operated: operated(pool).await?,
    })
}

/// The row of one job.
pub(crate) async fn job(pool: &PgPool, id: Uuid) -> Result<JobRow, sqlx::Error> {
    jobs(pool, Some(id))
        .await?
        .pop()
        .ok_or(sqlx::Error::RowNotFound)
}

/// How many jobs have not ended.
pub(crate) async fn live_jobs(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let live = sqlx::query_scalar!(
        r#"SELECT count(*) AS "live!" FROM jobs WHERE state IN ('ready', 'running')"#
    );
    live.fetch_one(pool).await
}

/// How many connections of the name there are.
pub(crate) async fn connections(pool: &PgPool, name: &str) -> Result<i64, sqlx::Error> {
    let there = sqlx::query_scalar!(
        r#"SELECT count(*) AS "there!" FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = $1"#,
        name
    );
    there.fetch_one(pool).await
}

/// The looks for work that workers are at, or that were the last of their connections: whose, and when
/// it began, in microseconds.
pub(crate) async fn looks(pool: &PgPool) -> Result<Vec<(i32, i64)>, sqlx::Error> {
    let looks = sqlx::query!(
        r#"SELECT pid AS "pid!", (extract(epoch FROM query_start) * 1000000)::bigint AS "began_us!"
           FROM pg_stat_activity
           WHERE datname = current_database() AND query LIKE '%WITH input AS MATERIALIZED%'
             AND pid <> pg_backend_pid()"#
    );
    let looks = looks.fetch_all(pool).await?;
    Ok(looks.iter().map(|it| (it.pid, it.began_us)).collect())
}

/// How far the lease that a job's second run found over had reached beyond the first run's deadline, in
/// milliseconds. The diary is the suite's own, as the ledger is.
pub(crate) async fn lease_beyond_deadline_ms(pool: &PgPool, id: Uuid) -> Result<i64, sqlx::Error> {
    let rows = sqlx::raw_sql(
        "SELECT job_id, (extract(epoch FROM lease_beyond_deadline) * 1000)::bigint AS beyond
         FROM durability.changes WHERE token_was = 1 AND token_became = 2",
    );
    let rows = rows.fetch_all(pool).await?;
    let row = rows.iter().find(|row| row.get::<Uuid, _>("job_id") == id);
    row.map(|row| row.get("beyond"))
        .ok_or(sqlx::Error::RowNotFound)
}

/// What handlers noted, in the order in which they did. The table is the suite's own, so no
/// checked query can know it.
pub(crate) async fn ledger(pool: &PgPool) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::raw_sql(
        "SELECT job_id, run_token, effect, is_gated FROM durability.ledger ORDER BY seq",
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.iter().map(entry).collect())
}

fn entry(row: &PgRow) -> Entry {
    Entry {
        job_id: row.get("job_id"),
        run_token: row.get("run_token"),
        effect: row.get("effect"),
        is_gated: row.get("is_gated"),
    }
}

async fn changes(pool: &PgPool) -> Result<Vec<Change>, sqlx::Error> {
    let rows = sqlx::raw_sql(
        "SELECT job_id, key, was, token_was, became, token_became, lease_was_over
         FROM durability.changes ORDER BY seq",
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.iter().map(change).collect())
}

fn change(row: &PgRow) -> Change {
    let was: Option<String> = row.get("was");
    Change {
        job_id: row.get("job_id"),
        key: row.get("key"),
        was: was.zip(row.get("token_was")),
        became: (row.get("became"), row.get("token_became")),
        lease_was_over: row.get("lease_was_over"),
    }
}

async fn jobs(pool: &PgPool, only: Option<Uuid>) -> Result<Vec<JobRow>, sqlx::Error> {
    sqlx::query_as!(
        JobRow,
        r#"SELECT id, state, idempotency_key AS key, attempt, max_attempts, crash_count, run_token,
                  outcome_class, lease_until IS NOT NULL AS "has_lease!",
                  finished_at IS NOT NULL AS "has_end!",
                  (extract(epoch FROM run_at) * 1000)::bigint AS "run_at_ms!"
           FROM jobs WHERE $1::uuid IS NULL OR id = $1 ORDER BY id"#,
        only
    )
    .fetch_all(pool)
    .await
}

async fn attempts(pool: &PgPool) -> Result<Vec<AttemptRow>, sqlx::Error> {
    sqlx::query_as!(
        AttemptRow,
        r#"SELECT job_id, run_token, outcome,
                  (extract(epoch FROM started_at) * 1000)::bigint AS "started_at_ms!",
                  (extract(epoch FROM finished_at) * 1000)::bigint AS "finished_at_ms!"
           FROM job_attempts ORDER BY job_id, run_token"#
    )
    .fetch_all(pool)
    .await
}

async fn operated(pool: &PgPool) -> Result<HashSet<Uuid>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        r#"SELECT DISTINCT job_id AS "job_id!" FROM job_actions WHERE job_id IS NOT NULL"#
    );
    Ok(ids.fetch_all(pool).await?.into_iter().collect())
}
