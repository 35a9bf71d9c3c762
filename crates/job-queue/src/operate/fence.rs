//! Ending a run that will not answer for itself: whatever its handler still says is refused.

use serde_json::json;
use session_identity::JobId;
use sqlx::{Connection as _, PgConnection};

use super::act::lock_job;
use super::{ActionOutcome, JobAction, OperateError, append_action};
use crate::JobState;

/// What becomes of a job whose run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterKill {
    /// It is dead, until somebody retries it.
    Park,
    /// It is ready again, at once.
    Requeue,
}

/// Ends a run without its handler: the job is parked or ready again now, and whatever the handler
/// still answers is refused. Its effects outside of the database may be under way.
///
/// # Errors
/// [`OperateError::Refused`] for a job that does not run, [`OperateError::NotFound`].
pub async fn kill_job(
    connection: &mut PgConnection,
    id: JobId,
    then: AfterKill,
    action: &JobAction,
) -> Result<ActionOutcome, OperateError> {
    let mut transaction = connection.begin().await?;
    let job = lock_job(&mut transaction, id).await?;
    if JobState::from_stored(&job.state) != Some(JobState::Running) {
        return Err(OperateError::Refused {
            verb: "kill",
            id,
            state: job.state,
        });
    }
    let words = words("killed", action);
    end_runs(&mut transaction, &[id], "killed", &words).await?;
    let requeue = then == AfterKill::Requeue;
    sqlx::query!(
        "UPDATE jobs SET
            state = CASE WHEN $2 THEN 'ready' ELSE 'dead' END,
            finished_at = CASE WHEN $2 THEN NULL ELSE now() END,
            run_token = run_token + 1, run_at = now(), snoozes = 0,
            max_attempts = GREATEST(max_attempts, attempt + CASE WHEN $2 THEN 1 ELSE 0 END),
            lease_owner = NULL, lease_until = NULL, deadline_at = NULL, cancel_requested_at = NULL,
            outcome_class = 'killed', outcome_reason = $3
         WHERE id = $1",
        id.as_uuid(),
        requeue,
        words,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = json!({ "requeue": requeue });
    append_action(&mut transaction, Some(id), "job.kill", action, &detail).await?;
    transaction.commit().await?;
    Ok(if requeue {
        ActionOutcome::Requeued
    } else {
        ActionOutcome::Killed
    })
}

pub(super) fn words(verb: &str, action: &JobAction) -> String {
    let JobAction { actor, reason } = action;
    match reason {
        Some(reason) => format!("{verb} by {actor}: {reason}"),
        None => format!("{verb} by {actor}"),
    }
}

/// Writes into the history how runs ended that will never answer for themselves.
pub(super) async fn end_runs(
    connection: &mut PgConnection,
    jobs: &[JobId],
    outcome: &str,
    words: &str,
) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = jobs.iter().map(JobId::as_uuid).collect();
    sqlx::query!(
        "INSERT INTO job_attempts (job_id, run_token, attempt, worker, worker_name, started_at,
                                   outcome, error_class, error)
         SELECT j.id, j.run_token, j.attempt, j.lease_owner,
                (SELECT w.name FROM workers w WHERE w.incarnation = j.lease_owner),
                COALESCE(j.started_at, now()), $2, $2, $3
         FROM jobs j WHERE j.id = ANY($1) AND j.state = 'running'
         ON CONFLICT DO NOTHING",
        &ids,
        outcome,
        words,
    )
    .execute(connection)
    .await?;
    Ok(())
}
