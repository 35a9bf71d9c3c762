//! Taking running jobs from their workers: whatever those still answer is refused.

use std::time::Duration;

use serde_json::json;
use session_identity::{JobId, WorkerIncarnation};
use sqlx::{Connection as _, PgConnection, error::DatabaseError};
use tokio::time::Instant;

use super::act::lock_job;
use super::{ActionOutcome, JobAction, OperateError, append_action};
use crate::JobState;

/// A claim is given up after half its lease, which is 20 s.
const CLAIM_LASTS: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Each is one victim chosen by the database, and the next try meets other rows.
const DEADLOCKS: u32 = 5;

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
            run_token = run_token + 1, run_at = now(),
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

/// Takes every running job from a worker and has it claim nothing any more: for a worker that is
/// known to be gone, or not to be trusted. Returns the jobs, which are ready again at once and have
/// been charged neither an attempt nor a crash.
///
/// Takes up to 10 s where a claim of the worker's, or any other transaction, is under way.
///
/// # Errors
/// [`OperateError::WorkerNotFound`].
pub async fn evict_worker(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<Vec<JobId>, OperateError> {
    let mut transaction = connection.begin().await?;
    super::drain::request(&mut transaction, worker, action).await?;
    let detail = json!({ "worker": worker });
    append_action(&mut transaction, None, "worker.evict", action, &detail).await?;
    let drained_in = sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text AS "xid!""#);
    let drained_in = drained_in.fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    let mut taken = take_jobs(connection, worker, action).await?;
    // A claim that began before the drain was committed could not see it. When every transaction of
    // that time has ended, there is none left; a claim itself is given up after as long.
    let give_up = Instant::now() + CLAIM_LASTS;
    while !have_ended(connection, &drained_in).await? && Instant::now() < give_up {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    taken.extend(take_jobs(connection, worker, action).await?);
    Ok(taken)
}

/// Whether every transaction has ended that was under way when this one was.
async fn have_ended(connection: &mut PgConnection, xid: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8 AS "ended!""#,
        xid,
    )
    .fetch_one(connection)
    .await
}

/// The worker's own statements lock its rows in another order: then one of both is told to retry.
async fn take_jobs(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<Vec<JobId>, OperateError> {
    let mut tries = 0;
    loop {
        match try_to_take_jobs(connection, worker, action).await {
            Err(error) if is_deadlock(&error) && tries < DEADLOCKS => tries += 1,
            taken => return Ok(taken?),
        }
    }
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.as_deref() == Some("40P01")
}

async fn try_to_take_jobs(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<Vec<JobId>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let jobs = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE state = 'running' AND lease_owner = $1
         ORDER BY id FOR UPDATE",
        worker.as_uuid(),
    )
    .fetch_all(&mut *transaction)
    .await?;
    let jobs: Vec<_> = jobs.into_iter().map(JobId::from_uuid).collect();
    end_runs(
        &mut transaction,
        &jobs,
        "evicted",
        &words("evicted", action),
    )
    .await?;
    let ids: Vec<_> = jobs.iter().map(JobId::as_uuid).collect();
    sqlx::query!(
        "UPDATE jobs SET
            state = CASE WHEN cancel_requested_at IS NULL THEN 'ready' ELSE 'cancelled' END,
            finished_at = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE now() END,
            run_token = run_token + 1, run_at = now(), attempt = GREATEST(attempt - 1, 0),
            lease_owner = NULL, lease_until = NULL, deadline_at = NULL
         WHERE id = ANY($1)",
        &ids,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(jobs)
}

fn words(verb: &str, action: &JobAction) -> String {
    let JobAction { actor, reason } = action;
    match reason {
        Some(reason) => format!("{verb} by {actor}: {reason}"),
        None => format!("{verb} by {actor}"),
    }
}

/// Writes into the history how runs ended that will never answer for themselves.
async fn end_runs(
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
