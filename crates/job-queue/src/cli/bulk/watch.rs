//! Watching an operation. It goes on whether or not anybody does.

use std::time::Duration;

use command_line::CliError;
use session_identity::JobId;
use sqlx::PgConnection;
use tokio::{
    signal::unix::Signal,
    time::{Instant, sleep},
};

use super::why_waiting;
use crate::cli::errors::cli_error;
use crate::cli::progress::Progress;
use crate::{OperateError, OperationRecord, OperationState, load_job, load_operation};

/// A row by its key: cheap, and well under what a person notices.
const POLL: Duration = Duration::from_millis(200);
/// A worker that lives takes it well before.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for the end, the time to run out or Ctrl-C, and gives the operation as it is then. Nor is
/// there anything to wait for once the operation's own job was ended by hand.
///
/// # Errors
/// Whatever the database says; the operation goes on, and the error says so.
pub(in crate::cli) async fn watch(
    connection: &mut PgConnection,
    operation: OperationRecord,
    timeout: Duration,
    interrupt: Signal,
) -> Result<OperationRecord, CliError> {
    let id = operation.id;
    let mut progress = Progress::default();
    let watched = follow(connection, operation, timeout, interrupt, &mut progress).await;
    progress.end();
    watched.map_err(|error| error.next(format!("it goes on; carrel ops wait {id}")))
}

async fn follow(
    connection: &mut PgConnection,
    mut operation: OperationRecord,
    timeout: Duration,
    mut interrupt: Signal,
    progress: &mut Progress,
) -> Result<OperationRecord, CliError> {
    let began = Instant::now();
    let mut warned = false;
    while !operation.has_ended() && began.elapsed() < timeout {
        tokio::select! {
            () = sleep(POLL) => {}
            _ = interrupt.recv() => break,
        }
        let id = operation.id;
        operation = load_operation(connection, id)
            .await?
            .ok_or_else(|| cli_error(OperateError::OperationNotFound { operation: id }))?;
        progress.show(&operation);
        if is_abandoned(connection, &operation).await? {
            break;
        }
        if !warned && operation.state() == OperationState::Waiting && began.elapsed() > PATIENCE {
            warned = true;
            for reason in why_waiting(connection, &operation).await? {
                tracing::warn!("operation {id} has not begun: {reason}");
            }
        }
    }
    Ok(operation)
}

async fn is_abandoned(
    connection: &mut PgConnection,
    operation: &OperationRecord,
) -> Result<bool, sqlx::Error> {
    let Some(job) = operation.job_id.filter(|_| !operation.has_ended()) else {
        return Ok(false);
    };
    let job = load_job(connection, JobId::from_uuid(job)).await?;
    let has_ended = job.is_none_or(|job| job.finished_at.is_some());
    // It may have ended between the two looks.
    Ok(has_ended
        && load_operation(connection, operation.id)
            .await?
            .is_none_or(|now| !now.has_ended()))
}
