//! The verbs that change a queue.

use std::slice::from_ref;
use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, OutputFormat, agree};
use serde_json::json;
use sqlx::PgConnection;

use super::{depth, must_be_known};
use crate::cli::ActionArgs;
use crate::cli::act::{RehearsalArgs, act};
use crate::cli::queue_state::state;
use crate::{QueueStatus, list_queues, pause_queue, resume_queue};

/// Which queue, who and why.
#[derive(Args, Debug)]
pub struct QueueArgs {
    /// The queue's name.
    queue: String,
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

impl QueueArgs {
    pub(super) async fn pause(
        &self,
        connection: &mut PgConnection,
        lasts: Option<Duration>,
        (output, yes): (OutputFormat, bool),
    ) -> Result<Document, CliError> {
        must_be_known(connection, "queue", &self.queue).await?;
        if !self.rehearsal.dry_run {
            agree(output, yes, &format!("pause queue {}", self.queue))?;
        }
        self.act(connection, "job-queue/queues-pause.v1", async |it| {
            pause_queue(it, &self.queue, lasts, &self.action.action()).await
        })
        .await
    }

    pub(super) async fn resume(&self, connection: &mut PgConnection) -> Result<Document, CliError> {
        must_be_known(connection, "queue", &self.queue).await?;
        self.act(connection, "job-queue/queues-resume.v1", async |it| {
            resume_queue(it, &self.queue, &self.action.action()).await
        })
        .await
    }

    async fn act(
        &self,
        connection: &mut PgConnection,
        schema: &'static str,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
    ) -> Result<Document, CliError> {
        change_queue(connection, self.rehearsal, (&self.queue, schema), change).await
    }
}

/// Changes a queue and tells how it is then.
pub(super) async fn change_queue(
    connection: &mut PgConnection,
    rehearsal: RehearsalArgs,
    (queue, schema): (&String, &'static str),
    change: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
) -> Result<Document, CliError> {
    // Counting every queue takes its time, during which the row that claims read is not to be held.
    let tell = async |it: &mut PgConnection, ()| {
        let mut queues = list_queues(it).await?;
        queues.retain(|found| &found.name == queue);
        Ok(changed(schema, queues.first()))
    };
    let change = async |it: &mut PgConnection| Ok(change(it).await?);
    act(connection, rehearsal, from_ref(queue), change, tell).await
}

fn changed(schema: &'static str, queue: Option<&QueueStatus>) -> Document {
    let line = |queue: &QueueStatus| format!("{}  {}", depth(queue), state(queue));
    let text = queue.map(line).unwrap_or_default();
    Document::new(schema, json!({ "queue": queue })).with_text(text)
}
