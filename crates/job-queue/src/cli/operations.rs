//! `ops …`.

use std::time::Duration;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::signal::unix::{SignalKind, signal};

use super::ActionArgs;
use super::bulk::{describe, report, told, watch, why_waiting};
use super::errors::cli_error;
use crate::{
    OperateError, OperationId, OperationRecord, cancel_operation, list_operations, load_operation,
};

/// Shows operations on many jobs and ends them early.
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// Lists operations, newest first
    List {
        /// Operations at most, 1 to 500.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// Shows one operation: how far it is, how fast, who asked for it, and why it does not run
    Show {
        /// The operation's number.
        id: OperationId,
    },
    /// Waits for the end of an operation
    ///
    /// Exit code 7 when some jobs did not fit or it was cancelled, 8 when the time ran out first.
    Wait {
        /// The operation's number.
        id: OperationId,
        /// For how long at most; the operation goes on.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
        timeout: Duration,
    },
    /// Ends an operation after the chunk under way; what it has changed stays changed
    Cancel {
        /// The operation's number.
        id: OperationId,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
}

impl RunCommand for OperationsCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        match self {
            Self::List { limit } => list(connection, limit).await,
            Self::Show { id } => show(connection, id).await,
            Self::Wait { id, timeout } => wait(connection, id, timeout).await,
            Self::Cancel { id, action } => {
                let outcome = cancel_operation(connection, id, &action.action()).await;
                let outcome = outcome.map_err(cli_error)?;
                let operation = load(connection, id).await?;
                let data = json!({ "outcome": outcome, "operation": describe(&operation) });
                let text = told(&operation, &[]);
                Ok(Document::new("job-queue/ops-cancel.v1", data).with_text(text))
            }
        }
    }
}

async fn list(connection: &mut PgConnection, limit: i64) -> Result<Document, CliError> {
    let operations = list_operations(connection, limit).await?;
    let lines: Vec<_> = operations.iter().map(line).collect();
    let operations: Vec<Value> = operations.iter().map(describe).collect();
    let data = json!({ "operations": operations });
    Ok(Document::new("job-queue/ops-list.v1", data).with_text(lines.join("\n")))
}

async fn show(connection: &mut PgConnection, id: OperationId) -> Result<Document, CliError> {
    let operation = load(connection, id).await?;
    let why = why_waiting(connection, &operation).await?;
    let data = json!({ "operation": describe(&operation), "why_not_running": why });
    Ok(Document::new("job-queue/ops-show.v1", data).with_text(told(&operation, &why)))
}

async fn wait(
    connection: &mut PgConnection,
    id: OperationId,
    timeout: Duration,
) -> Result<Document, CliError> {
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::bug)?;
    let operation = load(connection, id).await?;
    let watched = watch(connection, operation, timeout, interrupt).await?;
    let why = why_waiting(connection, &watched).await?;
    Ok(report("job-queue/ops-wait.v1", &watched, &why))
}

async fn load(connection: &mut PgConnection, id: OperationId) -> Result<OperationRecord, CliError> {
    let found = load_operation(connection, id).await?;
    found.ok_or_else(|| cli_error(OperateError::OperationNotFound { operation: id }))
}

fn line(operation: &OperationRecord) -> String {
    let OperationRecord {
        id,
        verb,
        changed,
        matched,
        actor,
        created_at,
        ..
    } = operation;
    let (state, skipped) = (operation.state().as_str(), operation.skipped_total());
    format!(
        "{id:>6}  {verb:<7} {state:<9} {changed}/{matched} ({skipped} skipped)  {created_at} {actor}"
    )
}
