//! `jobs wait`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use command_line::{CliError, Document, Exit, parse_duration};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};

use crate::cli::errors::cli_error;
use crate::{JobPrefix, JobRecord, JobState, OperateError, find_job, load_job};

/// A row by its key: cheap, and well under what a person notices.
const POLL: Duration = Duration::from_millis(200);

/// What to wait for, and for how long.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// The jobs' ids, or their beginnings.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<JobPrefix>,
    /// For what: that all are done, or that all have ended, however they did.
    #[arg(long = "for", value_enum, default_value = "done")]
    what: WaitFor,
    /// For how long at most, such as 90s or 5m.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    timeout: Duration,
}

/// What jobs may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WaitFor {
    /// Exit code 7 when one ended otherwise
    Done,
    /// Exit code 0 once they have ended
    Terminal,
}

pub(super) async fn run(
    connection: &mut PgConnection,
    args: &WaitArgs,
) -> Result<Document, CliError> {
    let give_up = Instant::now() + args.timeout;
    let mut ids = Vec::with_capacity(args.ids.len());
    for prefix in &args.ids {
        ids.push(find_job(connection, prefix).await.map_err(cli_error)?);
    }
    loop {
        let jobs = load(connection, &ids).await?;
        let is_over = jobs.iter().all(has_ended);
        if is_over || Instant::now() >= give_up {
            return Ok(document(&jobs, is_over, args.what));
        }
        sleep_until((Instant::now() + POLL).min(give_up)).await;
    }
}

async fn load(connection: &mut PgConnection, ids: &[JobId]) -> Result<Vec<JobRecord>, CliError> {
    let mut jobs = Vec::with_capacity(ids.len());
    for id in ids.iter().copied() {
        let job = load_job(connection, id).await?;
        jobs.push(job.ok_or_else(|| cli_error(OperateError::NotFound { id }))?);
    }
    Ok(jobs)
}

fn has_ended(job: &JobRecord) -> bool {
    job.finished_at.is_some()
}

fn document(jobs: &[JobRecord], is_over: bool, what: WaitFor) -> Document {
    let is_done = |job: &JobRecord| job.state == JobState::Done.as_str();
    let is_good = what == WaitFor::Terminal || jobs.iter().all(is_done);
    let exit = match (is_over, is_good) {
        (false, _) => Exit::TimedOut,
        (true, false) => Exit::Partial,
        (true, true) => Exit::Ok,
    };
    let lines = jobs.iter().map(|job| format!("{} {}", job.id, job.state));
    let text = lines.collect::<Vec<_>>().join("\n");
    let states: Vec<_> = jobs
        .iter()
        .map(|job| json!({ "id": job.id, "state": job.state, "class": job.outcome_class }))
        .collect();
    Document::new("job-queue/wait.v1", json!({ "jobs": states }))
        .with_text(text)
        .with_exit(exit)
}
