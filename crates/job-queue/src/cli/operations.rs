//! `ops …`.

use std::time::Duration;

use clap::Subcommand;
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, RunCommand, WatchArgs,
    parse_duration,
};
use serde::{Serialize, Serializer};
use serde_json::json;
use sqlx::PgConnection;
use tokio::signal::unix::{SignalKind, signal};

use super::ActionArgs;
use super::act::{RehearsalArgs, act};
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
        /// Whether it is looked at again.
        #[command(flatten)]
        watch: WatchArgs,
        /// How they are shown.
        #[command(flatten)]
        list: ListArgs,
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
        /// Whether at all.
        #[command(flatten)]
        rehearsal: RehearsalArgs,
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
            Self::List { limit, watch, list } => {
                let read = async || rows(connection, limit).await;
                LIST.whole_or_watched(globals, &list, &watch, read).await
            }
            Self::Show { id } => show(connection, id).await,
            Self::Wait { id, timeout } => wait(connection, id, timeout).await,
            Self::Cancel {
                id,
                rehearsal,
                action,
            } => {
                let change = async |it: &mut PgConnection| cancel(it, id, &action).await;
                let tell = async |_: &mut PgConnection, cancelled| Ok(cancelled);
                act(connection, rehearsal, &[id.to_string()], change, tell).await
            }
        }
    }
}

async fn cancel(
    connection: &mut PgConnection,
    id: OperationId,
    action: &ActionArgs,
) -> Result<Document, CliError> {
    let outcome = cancel_operation(connection, id, &action.action()).await;
    let outcome = outcome.map_err(cli_error)?;
    let operation = load(connection, id).await?;
    let data = json!({ "outcome": outcome, "operation": describe(&operation) });
    let text = told(&operation, &[]);
    Ok(Document::new("job-queue/ops-cancel.v1", data).with_text(text))
}

/// An operation with what follows from its row.
struct Row(OperationRecord);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        describe(&self.0).serialize(serializer)
    }
}

const LIST: List<Row> = List {
    schema: "job-queue/ops-list.v1",
    rows: "operations",
    empty: "nobody changed many jobs at once",
    name: |row| row.0.id.to_string(),
    columns: &[
        Column::new("id", |row| Cell::words(row.0.id)),
        Column::new("verb", |row| row.0.verb.as_str().into()),
        Column::new("state", |row| row.0.state().as_str().into()),
        Column::new("changed", |row| row.0.changed.into()),
        Column::new("skipped", |row| row.0.skipped_total().into()),
        Column::new("matched", |row| row.0.matched.into()),
        Column::new("created", |row| row.0.created_at.into()),
        Column::new("by", |row| row.0.actor.as_str().into()),
        Column::wide("reason", |row| row.0.reason.as_deref().into()),
        Column::wide("finished", |row| row.0.finished_at.into()),
        Column::wide("rate", |row| row.0.rate.into()),
        Column::wide("left", |row| row.0.eta_seconds().map(Cell::Seconds).into()),
        Column::wide("job", |row| row.0.job_id.map(Cell::words).into()),
        Column::wide("filter", |row| Cell::words(&row.0.filter)),
    ],
};

async fn rows(connection: &mut PgConnection, limit: i64) -> Result<Vec<Row>, CliError> {
    let operations = list_operations(connection, limit).await?;
    Ok(operations.into_iter().map(Row).collect())
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
