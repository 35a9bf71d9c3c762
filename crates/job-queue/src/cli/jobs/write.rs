//! The verbs that change a job.

use command_line::{CliError, Document};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;

use super::{ActionArgs, cli_error};
use crate::{ActionOutcome, cancel_job, notify_workers, retry_job};

pub(super) async fn retry(
    connection: &mut PgConnection,
    id: JobId,
    args: &ActionArgs,
) -> Result<Document, CliError> {
    let outcome = retry_job(connection, id, &args.action())
        .await
        .map_err(cli_error)?;
    // The retry is committed whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    Ok(changed("job-queue/retry.v1", id, outcome))
}

pub(super) async fn cancel(
    connection: &mut PgConnection,
    id: JobId,
    args: &ActionArgs,
) -> Result<Document, CliError> {
    let outcome = cancel_job(connection, id, &args.action())
        .await
        .map_err(cli_error)?;
    Ok(changed("job-queue/cancel.v1", id, outcome))
}

fn changed(schema: &'static str, id: JobId, outcome: ActionOutcome) -> Document {
    let text = match outcome {
        ActionOutcome::Requeued => "ready again",
        ActionOutcome::Cancelled => "cancelled",
        ActionOutcome::CancelRequested => "asked to stop; its handler learns within a heartbeat",
        ActionOutcome::Unchanged => "already cancelled; nothing changed",
    };
    Document::new(schema, json!({ "id": id, "outcome": outcome })).with_text(format!("{id} {text}"))
}
