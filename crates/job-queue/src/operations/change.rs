//! The jobs of one chunk: locked, changed, and written down.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::BulkVerb;
use super::decide::Picked;
use super::row::Operation;
use crate::JobFilter;
use crate::job::millis;

/// Finds the next jobs that match, without a lock: the way to them may lead past millions of others,
/// and heartbeats would wait for a lock that was taken on it.
pub(super) async fn find_next(
    connection: &mut PgConnection,
    filter: &JobFilter,
    operation: &Operation,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT j.id FROM jobs j
         WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR j.id = ANY($2))
           AND ($3::uuid IS NULL OR j.id > $3) AND j.id <= $4
         ORDER BY j.id LIMIT $5",
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
        operation.cursor,
        operation.last_id,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Locks those that still match, in one order so that two operations do not wait for each other.
pub(super) async fn pick(
    connection: &mut PgConnection,
    filter: &JobFilter,
    found: &[Uuid],
) -> Result<Vec<Picked>, sqlx::Error> {
    sqlx::query_as!(
        Picked,
        r#"SELECT j.id, j.state, j.queue, j.idempotency_key AS key,
                  j.cancel_requested_at IS NOT NULL AS "cancel_requested!"
           FROM jobs j WHERE j.id = ANY($2) AND job_matches_filter(j, $1)
           ORDER BY j.id FOR UPDATE"#,
        filter.wanted(),
        found,
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn taken_keys(
    connection: &mut PgConnection,
    picked: &[Picked],
) -> Result<HashSet<String>, sqlx::Error> {
    let keys: Vec<&str> = picked.iter().filter_map(|job| job.key.as_deref()).collect();
    let taken = sqlx::query_scalar!(
        r#"SELECT idempotency_key AS "key!" FROM jobs
           WHERE idempotency_key = ANY($1) AND state IN ('ready', 'running')"#,
        &keys as &[&str],
    )
    .fetch_all(connection)
    .await?;
    Ok(taken.into_iter().collect())
}

/// The same changes as those of one job by hand; every job is under lock and fits.
pub(super) async fn change(
    connection: &mut PgConnection,
    verb: &BulkVerb,
    jobs: &[Picked],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let change = match verb {
        BulkVerb::Retry { after, spread } => sqlx::query!(
            "UPDATE jobs SET state = 'ready', attempt = 0, crash_count = 0, snoozes = 0,
                    run_at = now() + ($2::bigint + random() * $3::bigint)
                             * interval '1 millisecond',
                    cancel_requested_at = NULL, finished_at = NULL
             WHERE id = ANY($1)",
            &ids,
            millis(*after),
            millis(*spread),
        ),
        BulkVerb::Cancel => sqlx::query!(
            "UPDATE jobs SET cancel_requested_at = now(),
                    state = CASE WHEN state = 'ready' THEN 'cancelled' ELSE state END,
                    finished_at = CASE WHEN state = 'ready' THEN now() END
             WHERE id = ANY($1)",
            &ids,
        ),
        BulkVerb::Snooze { lasts } => sqlx::query!(
            "UPDATE jobs SET run_at = now() + $2::bigint * interval '1 millisecond'
             WHERE id = ANY($1)",
            &ids,
            millis(*lasts),
        ),
        BulkVerb::Move { to } => {
            sqlx::query!("UPDATE jobs SET queue = $2 WHERE id = ANY($1)", &ids, to)
        }
        BulkVerb::Purge => sqlx::query!(
            "WITH attempts AS (DELETE FROM job_attempts WHERE job_id = ANY($1))
             DELETE FROM jobs WHERE id = ANY($1)",
            &ids,
        ),
    };
    change.execute(connection).await?;
    Ok(())
}

pub(super) async fn note(
    connection: &mut PgConnection,
    operation: &Operation,
    action: &str,
    jobs: &[Picked],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let states: Vec<&str> = jobs.iter().map(|job| job.state.as_str()).collect();
    sqlx::query!(
        "INSERT INTO job_actions (job_id, verb, actor, reason, detail)
         SELECT t.id, $3, $4, $5, jsonb_build_object('from', t.state, 'operation', $6::bigint)
         FROM unnest($1::uuid[], $2::text[]) AS t(id, state)",
        &ids,
        &states as &[&str],
        action,
        operation.actor,
        operation.reason,
        operation.id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}
