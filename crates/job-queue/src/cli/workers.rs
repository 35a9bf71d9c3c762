//! `workers …`.

mod drain;
mod evict;
mod version;

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, READ_LASTS, RunCommand,
    WatchArgs, read_within,
};
use serde::Serialize;
use serde_json::json;
use session_identity::WorkerIncarnation;
use sqlx::PgConnection;

use super::ActionArgs;
use super::act::{RehearsalArgs, act};
use super::errors::cli_error;
use crate::{
    OperateError, WorkerRecord, WorkerState, find_worker, jobs_of_worker, list_workers,
    load_worker, undrain_worker,
};
use drain::DrainArgs;
use evict::EvictArgs;

/// Shows who works, and has one worker claim nothing.
#[derive(Debug, Subcommand)]
pub enum WorkersCommand {
    /// Lists workers, newest first: those that live, or after them all that are still known
    List(WorkersListArgs),
    /// Shows one worker and the jobs it runs
    Show {
        /// The worker's name, or its incarnation where several live under one name.
        worker: String,
    },
    /// Has a worker claim nothing more; what it runs goes on
    ///
    /// A carrel-worker process is two workers, NAME for environments and NAME-sessions, and its sweeps
    /// go on: end the process to have all of it stop.
    Drain(DrainArgs),
    /// Lets a drained or evicted worker claim again
    Undrain(WorkerArgs),
    /// Takes every running job from a worker, for one that is gone or not to be trusted
    ///
    /// Its jobs are ready again at once, its late answers are refused, and it claims nothing more.
    Evict(EvictArgs),
}

/// Which workers, and how they are shown.
#[derive(Args, Debug)]
pub struct WorkersListArgs {
    /// Also those that have ended or fallen silent.
    #[arg(long)]
    all: bool,
    /// Only those that have fallen silent and never said that they end.
    #[arg(long, conflicts_with = "all")]
    stale: bool,
    /// Whether it is looked at again.
    #[command(flatten)]
    watch: WatchArgs,
    /// How they are shown.
    #[command(flatten)]
    list: ListArgs,
}

impl WorkersListArgs {
    async fn rows(&self, connection: &mut PgConnection) -> Result<Vec<Row>, CliError> {
        let workers = list_workers(connection, LOOK_AT).await?;
        if i64::try_from(workers.len()).is_ok_and(|read| read >= LOOK_AT) {
            tracing::warn!(
                "of all workers {LOOK_AT} are looked at: those that live first, newest first"
            );
        }
        let rows = workers.into_iter().map(|worker| Row {
            state: worker.state(),
            worker,
        });
        Ok(rows.filter(|row| self.shows(row.state)).collect())
    }

    fn shows(&self, state: WorkerState) -> bool {
        if self.stale {
            return state == WorkerState::Silent;
        }
        self.all || !is_gone(state)
    }
}

/// Which worker, who and why.
#[derive(Args, Debug)]
pub struct WorkerArgs {
    /// The worker's name, or its incarnation where several live under one name.
    worker: String,
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
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
            Self::List(args) => {
                let read = async || args.rows(connection).await;
                LIST.whole_or_watched(globals, &args.list, &args.watch, read)
                    .await
            }
            Self::Show { worker } => show(connection, &worker).await,
            Self::Drain(args) => drain::run(connection, &args, globals.output).await,
            Self::Undrain(args) => undrain(connection, &args).await,
            Self::Evict(args) => evict::run(connection, &args).await,
        }
    }
}

async fn undrain(connection: &mut PgConnection, args: &WorkerArgs) -> Result<Document, CliError> {
    let worker = find(connection, &args.worker).await?;
    let change = async |it: &mut PgConnection| {
        let undrained = undrain_worker(it, worker, &args.action.action()).await;
        undrained.map_err(cli_error)
    };
    let tell = async |_: &mut PgConnection, ()| {
        let text = format!("{worker} claims again after its next heartbeat");
        let data = json!({ "worker": worker });
        Ok(Document::new("job-queue/workers-undrain.v1", data).with_text(text))
    };
    let ids = [worker.to_string()];
    act(connection, args.rehearsal, &ids, change, tell).await
}

/// As many as a list is made of.
const LOOK_AT: i64 = 500;

/// A worker with what follows from its row.
#[derive(Serialize)]
struct Row {
    worker: WorkerRecord,
    state: WorkerState,
}

const LIST: List<Row> = List {
    schema: "job-queue/workers-list.v1",
    rows: "workers",
    empty: "no worker is known of this sort",
    name: |row| row.worker.incarnation.to_string(),
    columns: &[
        Column::new("incarnation", |row| Cell::words(row.worker.incarnation)),
        Column::new("name", |row| row.worker.name.as_str().into()),
        Column::new("state", |row| row.state.as_str().into()),
        Column::new("running", |row| row.worker.running.into()),
        Column::new("slots", |row| row.worker.slots.into()),
        Column::new("queues", |row| row.worker.queues.join(",").into()),
        Column::new("version", |row| row.worker.build.as_str().into()),
        Column::new("heard", |row| Cell::Seconds(row.worker.seen_seconds_ago)),
        Column::new("why", |row| why(&row.worker).into()),
        Column::wide("host", |row| row.worker.host.as_str().into()),
        Column::wide("kinds", |row| row.worker.kinds.join(",").into()),
        Column::wide("started", |row| row.worker.started_at.into()),
        Column::wide("seen", |row| row.worker.seen_at.into()),
        Column::wide("stopped", |row| row.worker.stopped_at.into()),
    ],
};

fn is_gone(state: WorkerState) -> bool {
    matches!(state, WorkerState::Ended | WorkerState::Silent)
}

async fn find(connection: &mut PgConnection, named: &str) -> Result<WorkerIncarnation, CliError> {
    read_within(connection, READ_LASTS, async |it| {
        find_worker(it, named).await.map_err(cli_error)
    })
    .await
}

async fn show(connection: &mut PgConnection, named: &str) -> Result<Document, CliError> {
    let incarnation = find(connection, named).await?;
    let Some(worker) = load_worker(connection, incarnation).await? else {
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

fn why(worker: &WorkerRecord) -> Option<String> {
    if worker.drain_requested_at.is_some() {
        let by = worker.drain_requested_by.as_deref().unwrap_or("unknown");
        let reason = worker.drain_reason.as_deref().unwrap_or("no reason given");
        return Some(format!("drained by {by}: {reason}"));
    }
    let kinds = worker.held_kinds.join(", ");
    let reason = worker.holds_because.as_deref()?;
    Some(format!("takes no {kinds}: {reason}"))
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
    let why = why(worker).unwrap_or_default();
    format!(
        "{incarnation}  {name:<18} {state:<8} {running}/{slots} of {queues}  {host} {build}  \
         heard of {beat:.0} s ago  {why}"
    )
}
