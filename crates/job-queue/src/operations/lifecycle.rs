//! Asking for an operation, looking at it, and ending it early.

use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{BulkOperation, BulkVerb, OperationId, OperationRecord};
use crate::operate::{append_action, count_fitting, database_now};
use crate::{EnqueueOptions, JobAction, JobFilter, OperateError, enqueue};

/// An operation before it is a row.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// What is done to each job.
    pub verb: BulkVerb,
    /// Which jobs; those made after the operation never match.
    pub filter: JobFilter,
    /// Jobs changed a second at most.
    pub rate: Option<i32>,
    /// Refuses if it would change more jobs than this by now.
    pub expect: Option<i64>,
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationCancel {
    /// It does nothing more; what it has changed stays changed.
    Cancelled,
    /// It had ended before; nothing changed.
    Unchanged,
}

/// Makes the operation and the job that works it, in one transaction. `None` if no job matches:
/// then nothing is made.
///
/// # Errors
/// [`OperateError::SetHasGrown`] if more jobs match than expected.
pub async fn start_operation(
    connection: &mut PgConnection,
    asked: &NewOperation,
    action: &JobAction,
) -> Result<Option<OperationRecord>, OperateError> {
    let mut transaction = connection.begin().await?;
    let now = database_now(&mut transaction).await?;
    let before = asked.filter.created_before.map_or(now, |at| at.min(now));
    let filter = JobFilter {
        created_before: Some(before),
        ..asked.filter.clone()
    };
    let counts = count_fitting(&mut transaction, &filter, &asked.verb).await?;
    let (found, matched) = (counts.fitting, counts.matched);
    if let Some(expected) = asked.expect.filter(|expected| found > *expected) {
        return Err(OperateError::SetHasGrown { expected, found });
    }
    let Some(last) = find_last(&mut transaction, &filter).await? else {
        return Ok(None);
    };
    let set = MatchedSet {
        filter,
        matched,
        last,
    };
    let id = insert_operation(&mut transaction, asked, &set, action).await?;
    let detail = json!({ "operation": id, "verb": asked.verb.as_str(), "matched": matched });
    append_action(&mut transaction, None, "operation.start", action, &detail).await?;
    enqueue_work(&mut transaction, id, action).await?;
    let made = load_operation(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(made)
}

async fn enqueue_work(
    connection: &mut PgConnection,
    id: OperationId,
    action: &JobAction,
) -> Result<(), OperateError> {
    let options = EnqueueOptions {
        enqueued_by: action.actor.clone(),
        ..EnqueueOptions::default()
    };
    let work = BulkOperation { operation: id };
    let job = enqueue(&mut *connection, &work, &options).await?.id();
    sqlx::query!(
        "UPDATE job_operations SET job_id = $2 WHERE id = $1",
        id.0,
        job.as_uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an operation is about, as it was when it was made.
struct MatchedSet {
    filter: JobFilter,
    matched: i64,
    last: Uuid,
}

async fn find_last(
    connection: &mut PgConnection,
    filter: &JobFilter,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT j.id FROM jobs j
         WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR j.id = ANY($2))
         ORDER BY j.id DESC LIMIT 1",
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
    )
    .fetch_optional(connection)
    .await
}

async fn insert_operation(
    connection: &mut PgConnection,
    asked: &NewOperation,
    set: &MatchedSet,
    action: &JobAction,
) -> Result<OperationId, sqlx::Error> {
    let filter = serde_json::to_value(&set.filter).expect("a filter is made of texts and times");
    let id = sqlx::query_scalar!(
        "INSERT INTO job_operations (verb, filter, arguments, actor, reason, rate, matched, last_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        asked.verb.as_str(),
        filter,
        asked.verb.arguments(),
        action.actor,
        action.reason,
        asked.rate,
        set.matched,
        set.last,
    )
    .fetch_one(connection)
    .await?;
    Ok(OperationId(id))
}

/// Ends an operation after the chunk under way, if one is. What it has changed stays changed.
///
/// # Errors
/// [`OperateError::OperationNotFound`].
pub async fn cancel_operation(
    connection: &mut PgConnection,
    id: OperationId,
    action: &JobAction,
) -> Result<OperationCancel, OperateError> {
    let mut transaction = connection.begin().await?;
    // A chunk holds the row for as long as it lasts and looks for the end first, so that nothing
    // is changed after this commits.
    let cancelled = sqlx::query!(
        "UPDATE job_operations SET cancel_requested_at = clock_timestamp(),
                cancel_requested_by = $2, finished_at = clock_timestamp(), outcome = 'cancelled'
         WHERE id = $1 AND finished_at IS NULL
         RETURNING changed, skipped",
        id.0,
        action.actor,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(counts) = cancelled else {
        let known = load_operation(&mut transaction, id).await?;
        return known
            .map(|_| OperationCancel::Unchanged)
            .ok_or(OperateError::OperationNotFound { operation: id });
    };
    let (changed, skipped) = (counts.changed, counts.skipped);
    let detail = json!({ "operation": id, "changed": changed, "skipped": skipped });
    append_action(&mut transaction, None, "operation.cancel", action, &detail).await?;
    transaction.commit().await?;
    Ok(OperationCancel::Cancelled)
}

/// Loads one operation; `None` if there is no such row.
///
/// # Errors
/// Whatever the database says.
pub async fn load_operation(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<OperationRecord>, sqlx::Error> {
    sqlx::query_as!(
        OperationRecord,
        r#"SELECT id, verb, filter, arguments, actor, reason, rate, job_id, created_at, started_at,
                  cursor, matched, changed, skipped, cancel_requested_at, cancel_requested_by,
                  finished_at, outcome, error,
                  COALESCE(extract(epoch FROM COALESCE(finished_at, now()) - started_at),
                           0)::float8 AS "worked_seconds!"
           FROM job_operations WHERE id = $1"#,
        id.0,
    )
    .fetch_optional(connection)
    .await
}

/// Lists operations, newest first.
///
/// # Errors
/// Whatever the database says.
pub async fn list_operations(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<OperationRecord>, sqlx::Error> {
    sqlx::query_as!(
        OperationRecord,
        r#"SELECT id, verb, filter, arguments, actor, reason, rate, job_id, created_at, started_at,
                  cursor, matched, changed, skipped, cancel_requested_at, cancel_requested_by,
                  finished_at, outcome, error,
                  COALESCE(extract(epoch FROM COALESCE(finished_at, now()) - started_at),
                           0)::float8 AS "worked_seconds!"
           FROM job_operations ORDER BY id DESC LIMIT $1"#,
        limit,
    )
    .fetch_all(connection)
    .await
}
