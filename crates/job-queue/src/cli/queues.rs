//! `queues …`.

mod limit;
mod write;

use std::time::Duration;

use clap::Subcommand;
use command_line::{
    Cell, CliError, Column, Document, GlobalArgs, List, ListArgs, READ_LASTS, RunCommand,
    parse_duration, read_within,
};
use sqlx::PgConnection;

use super::queue_state::state;
use super::stats::{self, StatsArgs};
use crate::{QueueStatus, list_queues, load_all_queues, queue_names};
use limit::LimitArgs;
use write::QueueArgs;

/// Shows how full queues are, closes and opens them.
#[derive(Debug, Subcommand)]
pub enum QueuesCommand {
    /// Lists every queue with its depth, the age of its oldest due job, and its switch
    List(ListArgs),
    /// Shows every queue's depth, what comes and goes, and when it is empty if that goes on
    Stats(StatsArgs),
    /// Stops claims from a queue; what runs goes on
    Pause {
        /// Which queue, who and why.
        #[command(flatten)]
        args: QueueArgs,
        /// Opens it again by itself after this long, such as 30m; without, it stays closed.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        lasts: Option<Duration>,
        /// Does not ask. Without a terminal and `--output text` nobody can be asked.
        #[arg(long)]
        yes: bool,
    },
    /// Sets how many jobs of a queue, or of all together, may run at once, how many runs of it may
    /// be started a second, over all workers, and how soon waiting raises its jobs
    Set(LimitArgs),
    /// Opens a queue again
    Resume(QueueArgs),
}

impl RunCommand for QueuesCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        match self {
            Self::List(args) => list(&mut connection, globals, &args).await,
            Self::Stats(args) => stats::run(&mut connection, globals, &args).await,
            Self::Pause { args, lasts, yes } => {
                args.pause(&mut connection, lasts, (globals.output, yes))
                    .await
            }
            Self::Set(args) => args.set(&mut connection).await,
            Self::Resume(args) => args.resume(&mut connection).await,
        }
    }
}

async fn list(
    connection: &mut PgConnection,
    globals: &GlobalArgs,
    args: &ListArgs,
) -> Result<Document, CliError> {
    let (queues, all) = read_within(connection, READ_LASTS, async |it| {
        Ok::<_, sqlx::Error>((list_queues(it).await?, load_all_queues(it).await?))
    })
    .await?;
    let document = LIST.whole(globals, args, &queues)?.with("all", all);
    Ok(match all.concurrency {
        Some(_) => document.with_line(&limit::line(all)),
        None => document,
    })
}

const LIST: List<QueueStatus> = List {
    schema: "job-queue/queues-list.v1",
    rows: "queues",
    empty: "no queue is in use",
    name: |queue| queue.name.clone(),
    columns: &[
        Column::new("queue", |queue| queue.name.as_str().into()),
        Column::new("ready", |queue| queue.ready.into()),
        Column::new("oldest", |queue| {
            queue.oldest_ready_seconds.map(Cell::Seconds).into()
        }),
        Column::new("scheduled", |queue| queue.scheduled.into()),
        Column::new("running", |queue| queue.running.into()),
        Column::new("limit", |queue| queue.concurrency.into()),
        Column::new("rate", |queue| {
            queue.rate_per_second.map(Cell::words).into()
        }),
        Column::wide("priority_age", |queue| {
            queue.priority_age_seconds.map(Cell::Seconds).into()
        }),
        Column::new("dead", |queue| queue.dead.into()),
        Column::new("state", |queue| state(queue).into()),
        Column::wide("paused_by", |queue| queue.paused_by.as_deref().into()),
        Column::wide("paused_until", |queue| queue.paused_until.into()),
    ],
};

/// A typing error must not close a queue that nobody uses, and look like success.
pub(super) async fn must_be_known(
    connection: &mut PgConnection,
    field: &str,
    queue: &str,
) -> Result<(), CliError> {
    let named = read_within(connection, READ_LASTS, async |it| queue_names(it).await).await?;
    if named.iter().any(|it| it == queue) {
        return Ok(());
    }
    // Everything is counted only for whoever has named none of the first.
    let queues = read_within(connection, READ_LASTS, async |it| list_queues(it).await).await?;
    let known: Vec<_> = queues.iter().map(|it| it.name.as_str()).collect();
    if known.contains(&queue) {
        return Ok(());
    }
    Err(CliError::not_found(format!("no queue {queue:?}"))
        .field(field)
        .next(format!("name one of: {}", known.join(", "))))
}

/// How full it is.
fn depth(queue: &QueueStatus) -> String {
    let oldest = queue.oldest_ready_seconds;
    let oldest = oldest.map_or_else(|| "-".to_owned(), |age| format!("{age:.0} s"));
    let QueueStatus {
        name,
        ready,
        scheduled,
        running,
        dead,
        ..
    } = queue;
    let limit = queue
        .concurrency
        .map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let rate = queue.rate_per_second;
    let rate = rate.map_or_else(String::new, |rate| format!("  rate {rate}/s"));
    let age = queue.priority_age_seconds;
    let age = age.map_or_else(String::new, |age| format!("  priority age {age} s"));
    format!(
        "{name:<14} ready {ready:>6} (oldest {oldest})  scheduled {scheduled:>6}  running \
         {running:>4}/{limit}{rate}{age}  dead {dead:>4}"
    )
}
