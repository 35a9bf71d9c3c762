//! `workers …`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, counted};
use serde_json::json;
use session_identity::WorkerIncarnation;
use sqlx::PgConnection;

use super::ActionArgs;
use super::errors::cli_error;
use crate::{
    OperateError, WorkerRecord, WorkerState, drain_worker, evict_worker, find_worker,
    jobs_of_worker, list_workers, notify_workers, undrain_worker,
};

/// Shows who works, and has one worker claim nothing.
#[derive(Debug, Subcommand)]
pub enum WorkersCommand {
    /// Lists workers, newest first: those that live, or all that are still known
    List {
        /// Also those that have ended or fallen silent.
        #[arg(long)]
        all: bool,
    },
    /// Shows one worker and the jobs it runs
    Show {
        /// The worker's name, or its incarnation where several live under one name.
        worker: String,
    },
    /// Has a worker claim nothing more; what it runs goes on
    ///
    /// A carrel-worker process is two workers, NAME for environments and NAME-sessions, and its sweeps
    /// go on: end the process to have all of it stop.
    Drain(WorkerArgs),
    /// Lets a drained or evicted worker claim again
    Undrain(WorkerArgs),
    /// Takes every running job from a worker, for one that is gone or not to be trusted
    ///
    /// Its jobs are ready again at once, its late answers are refused, and it claims nothing more.
    Evict {
        /// Which, who and why.
        #[command(flatten)]
        args: WorkerArgs,
        /// The worker once more, as named.
        #[arg(long, value_name = "WORKER")]
        confirm: Option<String>,
    },
}

/// Which worker, who and why.
#[derive(Args, Debug)]
pub struct WorkerArgs {
    /// The worker's name, or its incarnation where several live under one name.
    worker: String,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

impl RunCommand for WorkersCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        match self {
            Self::List { all } => list(connection, all).await,
            Self::Show { worker } => show(connection, &worker).await,
            Self::Drain(args) => {
                let worker = find(connection, &args.worker).await?;
                let drained = drain_worker(connection, worker, &args.action.action()).await;
                drained.map_err(cli_error)?;
                let text = format!("{worker} claims nothing more; what it runs goes on");
                Ok(done("job-queue/workers-drain.v1", worker, text))
            }
            Self::Undrain(args) => {
                let worker = find(connection, &args.worker).await?;
                let undrained = undrain_worker(connection, worker, &args.action.action()).await;
                undrained.map_err(cli_error)?;
                let text = format!("{worker} claims again after its next heartbeat");
                Ok(done("job-queue/workers-undrain.v1", worker, text))
            }
            Self::Evict { args, confirm } => evict(connection, &args, confirm.as_deref()).await,
        }
    }
}

/// As many as are ever shown.
const LOOK_AT: i64 = 500;

async fn list(connection: &mut PgConnection, all: bool) -> Result<Document, CliError> {
    let mut workers = list_workers(connection, LOOK_AT).await?;
    let is_gone =
        |worker: &WorkerRecord| matches!(worker.state(), WorkerState::Ended | WorkerState::Silent);
    workers.retain(|worker| all || !is_gone(worker));
    let text = workers.iter().fold(String::new(), |mut text, worker| {
        // Writing to a string cannot fail.
        writeln!(text, "{}", line(worker)).ok();
        text
    });
    let workers: Vec<_> = workers
        .iter()
        .map(|worker| json!({ "worker": worker, "state": worker.state() }))
        .collect();
    let data = json!({ "workers": workers });
    Ok(Document::new("job-queue/workers-list.v1", data).with_text(text))
}

async fn find(connection: &mut PgConnection, named: &str) -> Result<WorkerIncarnation, CliError> {
    find_worker(connection, named).await.map_err(cli_error)
}

async fn show(connection: &mut PgConnection, named: &str) -> Result<Document, CliError> {
    let incarnation = find(connection, named).await?;
    let mut workers = list_workers(connection, LOOK_AT).await?;
    workers.retain(|worker| worker.incarnation == incarnation);
    let Some(worker) = workers.pop() else {
        let name = named.to_owned();
        return Err(cli_error(OperateError::WorkerNotFound { name }));
    };
    let jobs = jobs_of_worker(connection, incarnation).await?;
    let text = jobs.iter().fold(line(&worker), |mut text, job| {
        let (id, kind, attempt) = (job.id, &job.kind, job.attempt);
        let lease = job.lease_until.unwrap_or_default();
        let deadline = job.deadline_at.unwrap_or_default();
        write!(
            text,
            "\n{id}  {kind}  attempt {attempt}  lease until {lease}  deadline {deadline}"
        )
        .ok();
        text
    });
    let state = worker.state();
    let data = json!({ "worker": worker, "state": state, "jobs": jobs });
    Ok(Document::new("job-queue/workers-show.v1", data).with_text(text))
}

async fn evict(
    connection: &mut PgConnection,
    args: &WorkerArgs,
    confirm: Option<&str>,
) -> Result<Document, CliError> {
    let worker = find(connection, &args.worker).await?;
    let consequence = "its running jobs are given to others while it may still be at them";
    CliError::unless_confirmed(confirm, &args.worker, consequence)?;
    let jobs = evict_worker(connection, worker, &args.action.action()).await;
    let jobs = jobs.map_err(cli_error)?;
    // They are ready whether or not anybody hears of it; workers also poll.
    notify_workers(connection).await.ok();
    let verb = if jobs.len() == 1 { "is" } else { "are" };
    let text = format!(
        "{worker} evicted; {} {verb} ready again",
        counted(jobs.len(), "job")
    );
    let data = json!({ "worker": worker, "jobs": jobs });
    Ok(Document::new("job-queue/workers-evict.v1", data).with_text(text))
}

fn done(schema: &'static str, worker: WorkerIncarnation, text: String) -> Document {
    Document::new(schema, json!({ "worker": worker })).with_text(text)
}

fn why(worker: &WorkerRecord) -> String {
    if worker.drain_requested_at.is_some() {
        let by = worker.drain_requested_by.as_deref().unwrap_or("unknown");
        let reason = worker.drain_reason.as_deref().unwrap_or("no reason given");
        return format!("drained by {by}: {reason}");
    }
    let kinds = worker.held_kinds.join(", ");
    let reason = worker.holds_because.as_deref();
    reason.map_or_else(String::new, |reason| format!("takes no {kinds}: {reason}"))
}

fn line(worker: &WorkerRecord) -> String {
    let WorkerRecord {
        incarnation,
        name,
        host,
        build,
        running,
        slots,
        ..
    } = worker;
    let (state, queues) = (worker.state().as_str(), worker.queues.join(","));
    let beat = worker.seen_seconds_ago;
    let why = why(worker);
    format!(
        "{incarnation}  {name:<18} {state:<8} {running}/{slots} of {queues}  {host} {build}  \
         heard of {beat:.0} s ago  {why}"
    )
}
