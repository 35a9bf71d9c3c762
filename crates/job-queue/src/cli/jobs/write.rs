//! The verbs that change a job.

use std::time::Duration;

use command_line::{CliError, Document};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;

use super::KillArgs;
use crate::cli::ActionArgs;
use crate::cli::errors::cli_error;
use crate::{
    ActionOutcome, AfterKill, JobPrefix, cancel_job, find_job, kill_job, notify_workers, retry_job,
    snooze_job,
};

pub(super) async fn retry(
    connection: &mut PgConnection,
    prefix: &JobPrefix,
    args: &ActionArgs,
) -> Result<Document, CliError> {
    let id = find_job(connection, prefix).await.map_err(cli_error)?;
    let outcome = retry_job(connection, id, &args.action())
        .await
        .map_err(cli_error)?;
    // The retry is committed whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    Ok(changed("job-queue/retry.v1", id, outcome))
}

pub(super) async fn cancel(
    connection: &mut PgConnection,
    prefix: &JobPrefix,
    args: &ActionArgs,
) -> Result<Document, CliError> {
    let id = find_job(connection, prefix).await.map_err(cli_error)?;
    let outcome = cancel_job(connection, id, &args.action())
        .await
        .map_err(cli_error)?;
    Ok(changed("job-queue/cancel.v1", id, outcome))
}

pub(super) async fn snooze(
    connection: &mut PgConnection,
    prefix: &JobPrefix,
    lasts: Duration,
    args: &ActionArgs,
) -> Result<Document, CliError> {
    let id = find_job(connection, prefix).await.map_err(cli_error)?;
    let outcome = snooze_job(connection, id, lasts, &args.action())
        .await
        .map_err(cli_error)?;
    Ok(changed("job-queue/snooze.v1", id, outcome))
}

pub(super) async fn kill(
    connection: &mut PgConnection,
    args: &KillArgs,
) -> Result<Document, CliError> {
    let id = find_job(connection, &args.id).await.map_err(cli_error)?;
    let consequence = "the run is not asked to stop: its effects may still be under way";
    CliError::unless_confirmed(args.confirm.as_deref(), &id.to_string(), consequence)?;
    let then = if args.requeue {
        AfterKill::Requeue
    } else {
        AfterKill::Park
    };
    let outcome = kill_job(connection, id, then, &args.action.action())
        .await
        .map_err(cli_error)?;
    notify_workers(connection).await.ok();
    Ok(changed("job-queue/kill.v1", id, outcome))
}

fn changed(schema: &'static str, id: JobId, outcome: ActionOutcome) -> Document {
    let text = match outcome {
        ActionOutcome::Requeued => "ready again",
        ActionOutcome::Killed => "dead; whatever its run still answers is refused",
        ActionOutcome::Snoozed => "put off",
        ActionOutcome::Cancelled => "cancelled",
        ActionOutcome::CancelRequested => "asked to stop; its handler learns within a heartbeat",
        ActionOutcome::Unchanged => "already cancelled; nothing changed",
    };
    Document::new(schema, json!({ "id": id, "outcome": outcome })).with_text(format!("{id} {text}"))
}
