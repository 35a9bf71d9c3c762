//! The operation's own row, under lock: how far it is, and its end.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::OperationId;
use super::decide::Skip;
use crate::JobAction;
use crate::operate::append_action;

/// The row, held for as long as the chunk lasts: what one worker does to an operation, no other
/// does at the same time.
pub(super) struct Operation {
    pub(super) id: OperationId,
    pub(super) verb: String,
    pub(super) filter: Value,
    pub(super) arguments: Value,
    pub(super) actor: String,
    pub(super) reason: Option<String>,
    pub(super) rate: Option<i32>,
    pub(super) cursor: Option<Uuid>,
    pub(super) last_id: Uuid,
    pub(super) matched: i64,
    pub(super) changed: i64,
    pub(super) skipped: Value,
    pub(super) has_ended: bool,
}

pub(super) async fn lock_operation(
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

pub(super) async fn advance(
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

pub(super) async fn end(
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
