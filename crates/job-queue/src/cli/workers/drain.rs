//! `workers drain`.

use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, Exit, OutputFormat, agree, counted, parse_duration};
use serde_json::json;
use session_identity::WorkerIncarnation;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};

use super::find;
use super::version::VersionBound;
use crate::cli::ActionArgs;
use crate::cli::act::{RehearsalArgs, act};
use crate::cli::errors::cli_error;
use crate::operate::{CLAIM_LASTS, have_ended, last_transaction};
use crate::workers::WORKER_LIVE_SECONDS;
use crate::{drain_worker, jobs_of_worker, workers_heard_of};

/// A row a worker by an index: cheap, and well under what a person notices.
const POLL: Duration = Duration::from_millis(200);

/// Which workers, who and why, and for how long to wait.
#[derive(Args, Debug)]
pub struct DrainArgs {
    /// The worker's name, or its incarnation where several live under one name.
    #[arg(required_unless_present = "version", conflicts_with = "version")]
    worker: Option<String>,
    /// Every living worker of these versions, such as '<1.9', instead of one.
    #[arg(long, value_name = "BOUND")]
    version: Option<VersionBound>,
    /// Does not ask before all of these versions are drained. Without a terminal and `--output text`
    /// nobody can be asked.
    #[arg(long)]
    yes: bool,
    /// Refuses if more workers than this are of these versions by then.
    #[arg(long, value_name = "COUNT", conflicts_with = "worker")]
    expect: Option<usize>,
    /// Waits until they run nothing; exit code 8 when the time ran out first.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// For how long to wait at most; they stay drained.
    #[arg(
        long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration,
        requires = "wait"
    )]
    timeout: Duration,
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

/// How far drained workers are.
struct Drained<'a> {
    workers: &'a [WorkerIncarnation],
    /// Jobs that they still run.
    running: usize,
    /// Whether no claim of before can bring them more.
    is_settled: bool,
}

pub(super) async fn run(
    connection: &mut PgConnection,
    args: &DrainArgs,
    output: OutputFormat,
) -> Result<Document, CliError> {
    let workers = args.meant(connection).await?;
    args.refuse_more(workers.len())?;
    if args.version.is_some() && !workers.is_empty() && !args.rehearsal.dry_run {
        let what = format!("drain {}", counted(workers.len(), "worker"));
        agree(output, args.yes, &what)?;
    }
    let ids: Vec<_> = workers.iter().map(ToString::to_string).collect();
    let change = async |it: &mut PgConnection| {
        for worker in &workers {
            let drained = drain_worker(it, *worker, &args.action.action()).await;
            drained.map_err(cli_error)?;
        }
        Ok(())
    };
    let tell = async |it: &mut PgConnection, ()| {
        let drained = watch(it, &workers, None).await?;
        Ok(document(args, &drained))
    };
    let at_once = act(connection, args.rehearsal, &ids, change, tell).await?;
    if !args.wait {
        return Ok(at_once);
    }
    let give_up = Instant::now() + args.timeout;
    let drained = watch(connection, &workers, Some(give_up)).await?;
    Ok(document(args, &drained))
}

impl DrainArgs {
    async fn meant(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<WorkerIncarnation>, CliError> {
        if let Some(named) = &self.worker {
            return Ok(vec![find(connection, named).await?]);
        }
        let living = workers_heard_of(connection, WORKER_LIVE_SECONDS).await?;
        let bound = self.version.as_ref();
        let is_meant = |build: &str| bound.is_some_and(|bound| bound.holds(build));
        let meant = living.iter().filter(|worker| is_meant(&worker.build));
        Ok(meant.map(|worker| worker.incarnation).collect())
    }

    /// These very workers are drained, so that what has grown since somebody looked is seen here.
    fn refuse_more(&self, found: usize) -> Result<(), CliError> {
        let Some(expected) = self.expect.filter(|expected| found > *expected) else {
            return Ok(());
        };
        let message = format!(
            "drain {}: it would be {found} by now",
            counted(expected, "worker")
        );
        Err(CliError::conflict(message)
            .field("expect")
            .next("look again with --dry-run"))
    }
}

/// Looks once or, where it shall be waited for, until they run nothing and nothing can come any more.
async fn watch<'a>(
    connection: &mut PgConnection,
    workers: &'a [WorkerIncarnation],
    give_up: Option<Instant>,
) -> Result<Drained<'a>, CliError> {
    // A claim that began before a worker was drained could not see it, and has ended once every
    // transaction of that time has; a claim itself is given up before others may have.
    let (mark, began) = (last_transaction(connection).await?, Instant::now());
    let mut drained = Drained {
        workers,
        running: 0,
        is_settled: false,
    };
    loop {
        // First, since jobs may come for as long as it is not so.
        drained.is_settled = have_ended(connection, &mark).await? || began.elapsed() >= CLAIM_LASTS;
        drained.running = 0;
        for worker in workers {
            drained.running += jobs_of_worker(connection, *worker).await?.len();
        }
        let Some(give_up) = give_up.filter(|it| !drained.is_idle() && Instant::now() < *it) else {
            return Ok(drained);
        };
        sleep_until((Instant::now() + POLL).min(give_up)).await;
    }
}

impl Drained<'_> {
    fn is_idle(&self) -> bool {
        self.is_settled && self.running == 0
    }
}

fn document(args: &DrainArgs, drained: &Drained<'_>) -> Document {
    let Drained {
        workers, running, ..
    } = drained;
    let named = workers.first().filter(|_| args.worker.is_some());
    let data = json!({ "worker": named, "workers": workers, "running": running });
    let rest = match running {
        0 if args.wait && drained.is_idle() => "and runs nothing".to_owned(),
        _ => format!("and {} going on", counted(*running, "job")),
    };
    let lines = workers.iter().map(|it| format!("{it} claims nothing more"));
    let lines: Vec<_> = lines.chain([summary(workers.len(), &rest)]).collect();
    let late = args.wait && !drained.is_idle();
    let document = Document::new("job-queue/workers-drain.v1", data).with_text(lines.join("\n"));
    document.with_exit(if late { Exit::TimedOut } else { Exit::Ok })
}

fn summary(workers: usize, rest: &str) -> String {
    match workers {
        0 => "no worker lives of these versions; nothing changed".to_owned(),
        _ => format!("{} drained, {rest}", counted(workers, "worker")),
    }
}
