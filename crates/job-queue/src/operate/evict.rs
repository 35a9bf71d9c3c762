//! Taking all of its running jobs from one worker, which claims nothing more.

use std::time::Duration;

use serde_json::json;
use session_identity::{JobId, WorkerIncarnation};
use sqlx::{Connection as _, PgConnection, error::DatabaseError};
use tokio::time::Instant;

use super::fence::{end_runs, words};
use super::{JobAction, OperateError, append_action, drain};

/// A claim is given up after half its lease, which is 20 s.
pub(crate) const CLAIM_LASTS: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Each is one victim chosen by the database, and the next try meets other rows.
const DEADLOCKS: u32 = 5;

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
    drain::request(&mut transaction, worker, action).await?;
    let detail = json!({ "worker": worker });
    append_action(&mut transaction, None, "worker.evict", action, &detail).await?;
    let drained_in = last_transaction(&mut transaction).await?;
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

/// Says which jobs [`evict_worker`] would take now, by its own statements, all of which are rolled back.
///
/// # Errors
/// As [`evict_worker`].
pub async fn preview_eviction(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<Vec<JobId>, OperateError> {
    let mut transaction = connection.begin().await?;
    drain::request(&mut transaction, worker, action).await?;
    let jobs = take_jobs(&mut transaction, worker, action).await?;
    transaction.rollback().await?;
    Ok(jobs)
}

/// Names the transaction that is under way, for [`have_ended`].
pub(crate) async fn last_transaction(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text AS "xid!""#)
        .fetch_one(connection)
        .await
}

/// Whether every transaction has ended that was under way when this one was.
pub(crate) async fn have_ended(
    connection: &mut PgConnection,
    xid: &str,
) -> Result<bool, sqlx::Error> {
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
            run_token = run_token + 1, run_at = now(), attempt = GREATEST(attempt - 1, 0), snoozes = 0,
            lease_owner = NULL, lease_until = NULL, deadline_at = NULL
         WHERE id = ANY($1)",
        &ids,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(jobs)
}
