//! One chunk: jobs, their audit rows and the cursor move in one transaction.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sqlx::{Acquire as _, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::decide::{Picked, Skip, decide};
use super::{BulkVerb, OperationId};
use crate::job::millis;
use crate::operate::append_action;
use crate::{JobAction, JobContext, JobFilter};

/// Short enough that a lock on its rows delays no heartbeat, long enough that commits do not count.
const CHUNK: i64 = 500;

/// From here on each chunk walks the primary key from the cursor. The planner may prefer to find and
/// sort all that is left, which is quick for few and quadratic for many: with 200,000 of 800,000 jobs,
/// 500 a second were changed instead of 10,000.
const MANY: i64 = 10_000;

/// What became of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// It was worked, and there may be more.
    Worked {
        /// Jobs changed.
        changed: usize,
        /// Jobs changed a second at most.
        rate: Option<i32>,
    },
    /// The operation has ended, now or before.
    Ended,
    /// There is no such operation, or another build wrote it.
    Unreadable,
    /// Another run works the operation now.
    Stale,
}

/// The row, held for as long as the chunk lasts: what one worker does to an operation, no other
/// does at the same time.
struct Operation {
    id: OperationId,
    verb: String,
    filter: Value,
    arguments: Value,
    actor: String,
    reason: Option<String>,
    rate: Option<i32>,
    cursor: Option<Uuid>,
    last_id: Uuid,
    matched: i64,
    changed: i64,
    skipped: Value,
    has_ended: bool,
}

/// Works the next chunk of the operation.
pub(super) async fn work_chunk(
    pool: &PgPool,
    id: OperationId,
    context: &JobContext,
) -> Result<Chunk, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let Some(operation) = lock_operation(&mut transaction, id).await? else {
        return Ok(Chunk::Unreadable);
    };
    if operation.has_ended {
        return Ok(Chunk::Ended);
    }
    let filter = serde_json::from_value::<JobFilter>(operation.filter.clone()).ok();
    let verb = BulkVerb::from_stored(&operation.verb, &operation.arguments);
    let (Some(filter), Some(verb)) = (filter, verb) else {
        end(
            &mut transaction,
            &operation,
            Some("written by another build"),
        )
        .await?;
        return commit(transaction, context, Chunk::Unreadable).await;
    };
    let limit = operation.rate.map_or(CHUNK, |rate| CHUNK.min(rate.into()));
    if operation.matched > MANY && filter.ids.is_none() {
        sqlx::query!("SET LOCAL enable_sort = off")
            .execute(&mut *transaction)
            .await?;
    }
    let picked = pick(&mut transaction, &filter, &operation, limit).await?;
    let Some(last) = picked.last().map(|job| job.id) else {
        end(&mut transaction, &operation, None).await?;
        return commit(transaction, context, Chunk::Ended).await;
    };
    let taken = match verb {
        BulkVerb::Retry { .. } => taken_keys(&mut transaction, &picked).await?,
        _ => HashSet::new(),
    };
    let (fitting, skipped) = decide(&verb, picked, taken);
    change(&mut transaction, &verb, &fitting).await?;
    note(&mut transaction, &operation, verb.action(), &fitting).await?;
    advance(&mut transaction, &operation, last, fitting.len(), &skipped).await?;
    let changed = fitting.len();
    let rate = operation.rate;
    commit(transaction, context, Chunk::Worked { changed, rate }).await
}

/// Commits if this run still owns the operation's job. A run that got this far is no crash loop:
/// its crashes are forgotten. Last, since heartbeats of the whole worker wait for this lock.
async fn commit(
    mut transaction: Transaction<'_, Postgres>,
    context: &JobContext,
    chunk: Chunk,
) -> Result<Chunk, sqlx::Error> {
    let owned = sqlx::query!(
        "UPDATE jobs SET crash_count = 0
         WHERE id = $1 AND run_token = $2 AND state = 'running'",
        context.job_id.as_uuid(),
        context.run_token,
    )
    .execute(&mut *transaction)
    .await?;
    if owned.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Chunk::Stale);
    }
    transaction.commit().await?;
    Ok(chunk)
}

async fn lock_operation(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<Operation>, sqlx::Error> {
    sqlx::query_as!(
        Operation,
        r#"SELECT id, verb, filter, arguments, actor, reason, rate, cursor, last_id, matched,
                  changed, skipped, finished_at IS NOT NULL AS "has_ended!"
           FROM job_operations WHERE id = $1 FOR UPDATE"#,
        id.0,
    )
    .fetch_optional(connection)
    .await
}

/// Locks the next jobs that match. One that changed while it was waited for is looked at again.
async fn pick(
    connection: &mut PgConnection,
    filter: &JobFilter,
    operation: &Operation,
    limit: i64,
) -> Result<Vec<Picked>, sqlx::Error> {
    sqlx::query_as!(
        Picked,
        r#"SELECT j.id, j.state, j.queue, j.idempotency_key AS key,
                  j.cancel_requested_at IS NOT NULL AS "cancel_requested!"
           FROM jobs j
           WHERE job_matches(j, $1) AND ($2::uuid[] IS NULL OR j.id = ANY($2))
             AND ($3::uuid IS NULL OR j.id > $3) AND j.id <= $4
           ORDER BY j.id LIMIT $5 FOR UPDATE"#,
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
        operation.cursor,
        operation.last_id,
        limit,
    )
    .fetch_all(connection)
    .await
}

async fn taken_keys(
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
async fn change(
    connection: &mut PgConnection,
    verb: &BulkVerb,
    jobs: &[Picked],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let change = match verb {
        BulkVerb::Retry { spread } => sqlx::query!(
            "UPDATE jobs SET state = 'ready', attempt = 0, crash_count = 0,
                    run_at = now() + random() * $2::bigint * interval '1 millisecond',
                    cancel_requested_at = NULL, finished_at = NULL
             WHERE id = ANY($1)",
            &ids,
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

async fn note(
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

async fn advance(
    connection: &mut PgConnection,
    operation: &Operation,
    cursor: Uuid,
    changed: usize,
    skips: &[Skip],
) -> Result<(), sqlx::Error> {
    let mut skipped = operation.skipped.as_object().cloned().unwrap_or_default();
    for skip in skips {
        add(&mut skipped, skip.as_str());
    }
    sqlx::query!(
        "UPDATE job_operations SET cursor = $2, changed = changed + $3, skipped = $4,
                started_at = COALESCE(started_at, now())
         WHERE id = $1",
        operation.id.0,
        cursor,
        i64::try_from(changed).unwrap_or(i64::MAX),
        Value::Object(skipped),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn add(counts: &mut Map<String, Value>, reason: &str) {
    let before = counts.get(reason).and_then(Value::as_i64).unwrap_or(0);
    counts.insert(reason.to_owned(), (before + 1).into());
}

async fn end(
    connection: &mut PgConnection,
    operation: &Operation,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    let outcome = if error.is_none() { "done" } else { "failed" };
    sqlx::query!(
        "UPDATE job_operations SET finished_at = clock_timestamp(), outcome = $2, error = $3,
                started_at = COALESCE(started_at, now())
         WHERE id = $1",
        operation.id.0,
        outcome,
        error,
    )
    .execute(&mut *connection)
    .await?;
    let action = JobAction {
        actor: operation.actor.clone(),
        reason: operation.reason.clone(),
    };
    let Operation {
        id,
        changed,
        skipped,
        ..
    } = operation;
    let detail = json!({
        "operation": id, "outcome": outcome, "changed": changed, "skipped": skipped,
    });
    append_action(connection, None, "operation.end", &action, &detail).await
}
