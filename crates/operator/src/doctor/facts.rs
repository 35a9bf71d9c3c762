//! What several checks read.

use chrono::{DateTime, Utc};
use cleanup_ttl::database_now;
use command_line::CliError;
use execution_environment::StoreError;
use job_queue::{WORKER_LIVE_SECONDS, WorkerRecord, WorkerState, workers_heard_of};
use session_lifecycle::cli::cli_error;
use sqlx::PgConnection;

/// Reads the only clock that decides.
pub(super) async fn server_time(connection: &mut PgConnection) -> Result<DateTime<Utc>, CliError> {
    let now = database_now(connection).await;
    now.map_err(|error| cli_error(error.class(), error.code(), &error))
}

/// Lists the workers that live and are not about to end.
pub(crate) async fn live_workers(
    connection: &mut PgConnection,
) -> Result<Vec<WorkerRecord>, CliError> {
    let mut workers = workers_heard_of(connection, WORKER_LIVE_SECONDS).await?;
    workers.retain(is_live);
    Ok(workers)
}

fn is_live(worker: &WorkerRecord) -> bool {
    use WorkerState::{Drained, Holding, Working};
    matches!(worker.state(), Working | Holding | Drained)
}

pub(super) fn store(error: StoreError) -> CliError {
    match error {
        StoreError::Database(source) => source.into(),
        inconsistent @ StoreError::Inconsistent { .. } => CliError::bug(inconsistent),
    }
}
