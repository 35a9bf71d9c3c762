//! `workers evict`.

use clap::Args;
use command_line::{CliError, Document, counted, write_within};
use serde_json::json;
use session_identity::{JobId, WorkerIncarnation};
use sqlx::PgConnection;

use super::{WorkerArgs, find};
use crate::cli::act::PREVIEW;
use crate::cli::errors::cli_error;
use crate::{evict_worker, notify_workers, preview_eviction};

/// Which worker, who, why and for sure.
#[derive(Args, Debug)]
pub struct EvictArgs {
    /// Which, who and why.
    #[command(flatten)]
    args: WorkerArgs,
    /// The worker once more, as named.
    #[arg(long, value_name = "WORKER")]
    confirm: Option<String>,
}

pub(super) async fn run(
    connection: &mut PgConnection,
    EvictArgs { args, confirm }: &EvictArgs,
) -> Result<Document, CliError> {
    let worker = find(connection, &args.worker).await?;
    let action = args.action.action();
    if args.rehearsal.dry_run {
        // It takes its own statements back, so that nothing is left to be committed.
        let preview = async |it: &mut PgConnection| {
            let jobs = preview_eviction(it, worker, &action).await;
            jobs.map_err(cli_error)
        };
        let jobs = write_within(connection, preview).await?;
        let ids: Vec<_> = jobs.iter().map(ToString::to_string).collect();
        return Ok(document(worker, &jobs).as_preview(PREVIEW, &ids));
    }
    let consequence = "its running jobs are given to others while it may still be at them";
    CliError::unless_confirmed(confirm.as_deref(), &args.worker, consequence)?;
    let evict = async |it: &mut PgConnection| {
        let evicted = evict_worker(it, worker, &action).await;
        evicted.map_err(cli_error)
    };
    let jobs = write_within(connection, evict).await?;
    // They are ready whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    Ok(document(worker, &jobs))
}

fn document(worker: WorkerIncarnation, jobs: &[JobId]) -> Document {
    let verb = if jobs.len() == 1 { "is" } else { "are" };
    let count = counted(jobs.len(), "job");
    let text = format!("{worker} evicted; {count} {verb} ready again");
    let data = json!({ "worker": worker, "jobs": jobs });
    Document::new("job-queue/workers-evict.v1", data).with_text(text)
}
