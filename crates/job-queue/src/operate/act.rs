//! Retrying, cancelling and putting off by hand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use session_identity::JobId;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::OperateError;
use crate::{JobState, job::millis};

/// Who does something to a job, and why.
#[derive(Clone, Debug)]
pub struct JobAction {
    /// The actor as stored, such as `staff:dana`.
    pub actor: String,
    /// The reason, for whoever reads the log.
    pub reason: Option<String>,
}

/// What became of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// The job is ready again.
    Requeued,
    /// The job's run is fenced off, and the job dead.
    Killed,
    /// The job waits for its new time.
    Snoozed,
    /// The job is cancelled.
    Cancelled,
    /// The job runs; its handler learns within one heartbeat that it should stop.
    CancelRequested,
    /// The job was already as asked; nothing changed.
    Unchanged,
}

/// One row of `job_actions`.
#[derive(Clone, Debug, Serialize)]
pub struct JobActionRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// What, such as `job.retry`.
    pub verb: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Particulars.
    pub detail: Option<Value>,
}

pub(super) struct Locked {
    pub(super) state: String,
    key: Option<String>,
}

/// Makes a dead or cancelled job ready again, with fresh attempts and crashes.
///
/// # Errors
/// [`OperateError::Refused`] for a job that is live or done, [`OperateError::KeyTaken`] if another
/// live job does the same, [`OperateError::NotFound`].
pub async fn retry_job(
    connection: &mut PgConnection,
    id: JobId,
    action: &JobAction,
) -> Result<ActionOutcome, OperateError> {
    retry_job_after(connection, id, Duration::ZERO, action).await
}

/// As [`retry_job`], but the job may start this long from now, and not before.
///
/// # Errors
/// As [`retry_job`].
pub async fn retry_job_after(
    connection: &mut PgConnection,
    id: JobId,
    after: Duration,
    action: &JobAction,
) -> Result<ActionOutcome, OperateError> {
    let mut transaction = connection.begin().await?;
    let job = lock_job(&mut transaction, id).await?;
    if ![JobState::Dead, JobState::Cancelled]
        .iter()
        .any(|state| state.as_str() == job.state)
    {
        return Err(OperateError::Refused {
            verb: "retry",
            id,
            state: job.state,
        });
    }
    if let Some(holder) = find_key_holder(&mut transaction, job.key.as_deref()).await? {
        return Err(OperateError::KeyTaken { id, holder });
    }
    let after_ms = millis(after);
    // The token stays: the next claim takes a larger one, so runs of before remain fenced off.
    sqlx::query!(
        "UPDATE jobs SET state = 'ready', attempt = 0, crash_count = 0, snoozes = 0,
                run_at = now() + $2::bigint * interval '1 millisecond',
                cancel_requested_at = NULL, finished_at = NULL
         WHERE id = $1",
        id.as_uuid(),
        after_ms,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = json!({ "from": job.state, "after_ms": after_ms });
    append_action(&mut transaction, Some(id), "job.retry", action, &detail).await?;
    transaction.commit().await?;
    Ok(ActionOutcome::Requeued)
}

/// Cancels a ready job at once, and asks a running one to stop.
///
/// # Errors
/// [`OperateError::Refused`] for a job that is done or dead, [`OperateError::NotFound`].
pub async fn cancel_job(
    connection: &mut PgConnection,
    id: JobId,
    action: &JobAction,
) -> Result<ActionOutcome, OperateError> {
    let mut transaction = connection.begin().await?;
    let job = lock_job(&mut transaction, id).await?;
    let outcome = match JobState::from_stored(&job.state) {
        Some(JobState::Ready) => ActionOutcome::Cancelled,
        Some(JobState::Running) => ActionOutcome::CancelRequested,
        Some(JobState::Cancelled) => return Ok(ActionOutcome::Unchanged),
        _ => {
            return Err(OperateError::Refused {
                verb: "cancel",
                id,
                state: job.state,
            });
        }
    };
    sqlx::query!(
        "UPDATE jobs SET
            cancel_requested_at = COALESCE(cancel_requested_at, now()),
            state = CASE WHEN state = 'ready' THEN 'cancelled' ELSE state END,
            finished_at = CASE WHEN state = 'ready' THEN now() END
         WHERE id = $1",
        id.as_uuid(),
    )
    .execute(&mut *transaction)
    .await?;
    let detail = json!({ "from": job.state });
    append_action(&mut transaction, Some(id), "job.cancel", action, &detail).await?;
    transaction.commit().await?;
    Ok(outcome)
}

/// Puts a ready job off: it may start this long from now, and not before.
///
/// # Errors
/// [`OperateError::Refused`] for a job that runs or has ended, [`OperateError::NotFound`].
pub async fn snooze_job(
    connection: &mut PgConnection,
    id: JobId,
    snooze_for: Duration,
    action: &JobAction,
) -> Result<ActionOutcome, OperateError> {
    let mut transaction = connection.begin().await?;
    let job = lock_job(&mut transaction, id).await?;
    if JobState::from_stored(&job.state) != Some(JobState::Ready) {
        return Err(OperateError::Refused {
            verb: "snooze",
            id,
            state: job.state,
        });
    }
    let snooze_ms = millis(snooze_for);
    sqlx::query!(
        "UPDATE jobs SET run_at = now() + $2::bigint * interval '1 millisecond' WHERE id = $1",
        id.as_uuid(),
        snooze_ms,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = json!({ "snooze_ms": snooze_ms });
    append_action(&mut transaction, Some(id), "job.snooze", action, &detail).await?;
    transaction.commit().await?;
    Ok(ActionOutcome::Snoozed)
}

/// Lists what operators did to a job, oldest first.
///
/// # Errors
/// Whatever the database says.
pub async fn job_actions(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Vec<JobActionRecord>, sqlx::Error> {
    sqlx::query_as!(
        JobActionRecord,
        "SELECT at, verb, actor, reason, detail FROM job_actions WHERE job_id = $1 ORDER BY id",
        id.as_uuid(),
    )
    .fetch_all(connection)
    .await
}

/// Appends to `job_actions`, in the transaction of the change it tells of.
pub(crate) async fn append_action(
    connection: &mut PgConnection,
    job: Option<JobId>,
    verb: &str,
    action: &JobAction,
    detail: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO job_actions (job_id, verb, actor, reason, detail) VALUES ($1, $2, $3, $4, $5)",
        job.map(|id| id.as_uuid()),
        verb,
        action.actor,
        action.reason,
        detail,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks the row: between the answer and the change no worker may claim or finish it.
pub(super) async fn lock_job(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Locked, OperateError> {
    sqlx::query_as!(
        Locked,
        "SELECT state, idempotency_key AS key FROM jobs WHERE id = $1 FOR UPDATE",
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?
    .ok_or(OperateError::NotFound { id })
}

async fn find_key_holder(
    connection: &mut PgConnection,
    key: Option<&str>,
) -> Result<Option<JobId>, sqlx::Error> {
    let holder: Option<Uuid> = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE idempotency_key = $1 AND state IN ('ready', 'running')",
        key,
    )
    .fetch_optional(connection)
    .await?;
    Ok(holder.map(JobId::from_uuid))
}
