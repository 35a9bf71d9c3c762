//! The verbs that change a job.

use std::time::Duration;

use command_line::{CliError, Document, OutputFormat, READ_LASTS, agree, read_within};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;

use super::KillArgs;
use crate::cli::act::{RehearsalArgs, act};
use crate::cli::errors::cli_error;
use crate::{
    ActionOutcome, AfterKill, JobAction, JobPrefix, cancel_job, find_job, kill_job,
    retry_job_after, snooze_job,
};

/// One job, who changes it, and whether at all.
pub(super) struct One<'a> {
    pub(super) id: &'a JobPrefix,
    pub(super) rehearsal: RehearsalArgs,
    pub(super) action: JobAction,
}

impl One<'_> {
    async fn find(&self, connection: &mut PgConnection) -> Result<JobId, CliError> {
        find(connection, self.id).await
    }

    pub(super) async fn retry(
        &self,
        connection: &mut PgConnection,
        after: Duration,
    ) -> Result<Document, CliError> {
        let id = self.find(connection).await?;
        let change = async |it: &mut PgConnection| {
            let outcome = retry_job_after(it, id, after, &self.action).await;
            outcome.map_err(cli_error)
        };
        let tell =
            async |_: &mut PgConnection, outcome| Ok(changed("job-queue/retry.v1", id, outcome));
        act(connection, self.rehearsal, &[id.to_string()], change, tell).await
    }

    pub(super) async fn cancel(
        &self,
        connection: &mut PgConnection,
        output: OutputFormat,
        yes: bool,
    ) -> Result<Document, CliError> {
        let id = self.find(connection).await?;
        if !self.rehearsal.dry_run {
            agree(output, yes, &format!("cancel job {id}"))?;
        }
        let change = async |it: &mut PgConnection| {
            let outcome = cancel_job(it, id, &self.action).await;
            outcome.map_err(cli_error)
        };
        let tell =
            async |_: &mut PgConnection, outcome| Ok(changed("job-queue/cancel.v1", id, outcome));
        act(connection, self.rehearsal, &[id.to_string()], change, tell).await
    }

    pub(super) async fn snooze(
        &self,
        connection: &mut PgConnection,
        lasts: Duration,
    ) -> Result<Document, CliError> {
        let id = self.find(connection).await?;
        let change = async |it: &mut PgConnection| {
            let outcome = snooze_job(it, id, lasts, &self.action).await;
            outcome.map_err(cli_error)
        };
        let tell =
            async |_: &mut PgConnection, outcome| Ok(changed("job-queue/snooze.v1", id, outcome));
        act(connection, self.rehearsal, &[id.to_string()], change, tell).await
    }
}

async fn find(connection: &mut PgConnection, prefix: &JobPrefix) -> Result<JobId, CliError> {
    read_within(connection, READ_LASTS, async |it| {
        find_job(it, prefix).await.map_err(cli_error)
    })
    .await
}

pub(super) async fn kill(
    connection: &mut PgConnection,
    args: &KillArgs,
) -> Result<Document, CliError> {
    let id = find(connection, &args.id).await?;
    if !args.rehearsal.dry_run {
        let consequence = "the run is not asked to stop: its effects may still be under way";
        CliError::unless_confirmed(args.confirm.as_deref(), &id.to_string(), consequence)?;
    }
    let then = if args.requeue {
        AfterKill::Requeue
    } else {
        AfterKill::Park
    };
    let change = async |it: &mut PgConnection| {
        let outcome = kill_job(it, id, then, &args.action.action()).await;
        outcome.map_err(cli_error)
    };
    let tell = async |_: &mut PgConnection, outcome| Ok(changed("job-queue/kill.v1", id, outcome));
    act(connection, args.rehearsal, &[id.to_string()], change, tell).await
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
