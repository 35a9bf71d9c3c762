//! Having one worker claim nothing, by its row, which its claims read.

use serde_json::json;
use session_identity::WorkerIncarnation;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{JobAction, OperateError, append_action};
use crate::workers::WORKER_LIVE_SECONDS;

/// Finds the worker that an operator means: by its incarnation, or by its name where just one lives
/// that bears it.
///
/// # Errors
/// [`OperateError::WorkerNotFound`], [`OperateError::WorkerAmbiguous`].
pub async fn find_worker(
    connection: &mut PgConnection,
    named: &str,
) -> Result<WorkerIncarnation, OperateError> {
    let id: Option<Uuid> = named.parse().ok();
    let mut found = sqlx::query_scalar!(
        "SELECT incarnation FROM workers
         WHERE incarnation = $2
            OR (name = $1 AND stopped_at IS NULL
                AND seen_at > now() - make_interval(secs => $3))
         ORDER BY started_at DESC",
        named,
        id,
        WORKER_LIVE_SECONDS,
    )
    .fetch_all(connection)
    .await?;
    let name = named.to_owned();
    match found.len() {
        0 => Err(OperateError::WorkerNotFound { name }),
        1 => Ok(WorkerIncarnation::from_uuid(found.remove(0))),
        _ => Err(OperateError::WorkerAmbiguous {
            name,
            incarnations: found
                .into_iter()
                .map(WorkerIncarnation::from_uuid)
                .collect(),
        }),
    }
}

/// Finds every worker that bears a name, also those that live no more, or has an incarnation.
///
/// # Errors
/// Whatever the database says.
pub async fn workers_named(
    connection: &mut PgConnection,
    named: &str,
) -> Result<Vec<WorkerIncarnation>, sqlx::Error> {
    let id: Option<Uuid> = named.parse().ok();
    sqlx::query_scalar!(
        r#"SELECT incarnation AS "incarnation: WorkerIncarnation" FROM workers
           WHERE name = $1 OR incarnation = $2 ORDER BY started_at DESC"#,
        named,
        id,
    )
    .fetch_all(connection)
    .await
}

/// Has a worker claim nothing more. A claim that is under way may still get its jobs, and what the
/// worker runs goes on.
///
/// # Errors
/// [`OperateError::WorkerNotFound`].
pub async fn drain_worker(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    request(&mut transaction, worker, action).await?;
    let detail = json!({ "worker": worker });
    append_action(&mut transaction, None, "worker.drain", action, &detail).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lets a worker claim again that was drained or evicted.
///
/// # Errors
/// [`OperateError::WorkerNotFound`].
pub async fn undrain_worker(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query!(
        "UPDATE workers SET drain_requested_at = NULL, drain_requested_by = NULL,
                drain_reason = NULL
         WHERE incarnation = $1",
        worker.as_uuid(),
    )
    .execute(&mut *transaction)
    .await?;
    found(worker, changed.rows_affected())?;
    let detail = json!({ "worker": worker });
    append_action(&mut transaction, None, "worker.undrain", action, &detail).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn request(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
    action: &JobAction,
) -> Result<(), OperateError> {
    let changed = sqlx::query!(
        "UPDATE workers SET drain_requested_at = COALESCE(drain_requested_at, now()),
                drain_requested_by = $2, drain_reason = $3
         WHERE incarnation = $1",
        worker.as_uuid(),
        action.actor,
        action.reason,
    )
    .execute(connection)
    .await?;
    found(worker, changed.rows_affected())
}

fn found(worker: WorkerIncarnation, rows: u64) -> Result<(), OperateError> {
    if rows > 0 {
        return Ok(());
    }
    let name = worker.to_string();
    Err(OperateError::WorkerNotFound { name })
}
