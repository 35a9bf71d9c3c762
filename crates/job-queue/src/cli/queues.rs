//! `queues …`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use serde_json::json;
use sqlx::PgConnection;

use super::{ActionArgs, stats};
use crate::{
    AllQueues, QueueStatus, limit_all_queues, limit_queue, list_queues, load_all_queues,
    notify_workers, pause_queue, resume_queue,
};

/// Shows how full queues are, closes and opens them.
#[derive(Debug, Subcommand)]
pub enum QueuesCommand {
    /// Lists every queue with its depth, the age of its oldest due job, and its switch
    List,
    /// Shows every queue's depth, what comes and goes, and when it is empty if that goes on
    Stats {
        /// Over how long arrivals and ends are counted.
        #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
        window: Duration,
    },
    /// Stops claims from a queue; what runs goes on
    Pause {
        /// The queue's name.
        queue: String,
        /// Opens it again by itself after this long, such as 30m; without, it stays closed.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        lasts: Option<Duration>,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Sets how many jobs of a queue, or of all together, may run at once, over all workers
    Set {
        /// The queue's name.
        #[arg(required_unless_present = "all")]
        queue: Option<String>,
        /// All queues together, instead of one; counts beside the limits of each.
        #[arg(long, conflicts_with = "queue")]
        all: bool,
        /// At most so many, or `none` for as many as workers have slots.
        #[arg(long, value_name = "N", value_parser = parse_limit)]
        concurrency: Limit,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Opens a queue again
    Resume {
        /// The queue's name.
        queue: String,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
}

/// How many may run at once; `None` for no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit(Option<i32>);

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    match text.parse() {
        Ok(limit @ 1..) => Ok(Limit(Some(limit))),
        _ => {
            Err("a whole number of at least 1, or `none`; to stop claims: queues pause".to_owned())
        }
    }
}

impl RunCommand for QueuesCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        match self {
            Self::List => list(&mut connection).await,
            Self::Stats { window } => stats::run(&mut connection, window).await,
            Self::Pause {
                queue,
                lasts,
                action,
            } => {
                must_be_known(&mut connection, "queue", &queue).await?;
                pause_queue(&mut connection, &queue, lasts, &action.action()).await?;
                let found = find(&mut connection, &queue).await?;
                Ok(changed("job-queue/queues-pause.v1", found.as_ref()))
            }
            Self::Set {
                queue,
                concurrency: Limit(concurrency),
                action,
                ..
            } => set(&mut connection, queue.as_deref(), concurrency, &action).await,
            Self::Resume { queue, action } => {
                must_be_known(&mut connection, "queue", &queue).await?;
                resume_queue(&mut connection, &queue, &action.action()).await?;
                // It is open whether or not anybody hears of it; workers also poll.
                notify_workers(&mut connection).await.ok();
                let found = find(&mut connection, &queue).await?;
                Ok(changed("job-queue/queues-resume.v1", found.as_ref()))
            }
        }
    }
}

async fn list(connection: &mut PgConnection) -> Result<Document, CliError> {
    let queues = list_queues(connection).await?;
    let all = load_all_queues(connection).await?;
    let mut text = queues.iter().fold(String::new(), |mut text, queue| {
        // Writing to a string cannot fail.
        writeln!(text, "{}", line(queue)).ok();
        text
    });
    if all.concurrency.is_some() {
        writeln!(text, "{}", line_of_all(all)).ok();
    }
    let data = json!({ "queues": queues, "all": all });
    Ok(Document::new("job-queue/queues-list.v1", data).with_text(text))
}

/// Limits one queue, or all together where none is named.
async fn set(
    connection: &mut PgConnection,
    queue: Option<&str>,
    concurrency: Option<i32>,
    action: &ActionArgs,
) -> Result<Document, CliError> {
    let Some(queue) = queue else {
        limit_all_queues(connection, concurrency, &action.action()).await?;
        notify_workers(connection).await.ok();
        let all = load_all_queues(connection).await?;
        let document = Document::new("job-queue/queues-set.v1", json!({ "all": all }));
        return Ok(document.with_text(line_of_all(all)));
    };
    must_be_known(connection, "queue", queue).await?;
    limit_queue(connection, queue, concurrency, &action.action()).await?;
    notify_workers(connection).await.ok();
    let found = find(connection, queue).await?;
    Ok(changed("job-queue/queues-set.v1", found.as_ref()))
}

/// A typing error must not close a queue that nobody uses, and look like success.
pub(super) async fn must_be_known(
    connection: &mut PgConnection,
    field: &str,
    queue: &str,
) -> Result<(), CliError> {
    let queues = list_queues(connection).await?;
    let known: Vec<_> = queues.iter().map(|it| it.name.as_str()).collect();
    if known.contains(&queue) {
        return Ok(());
    }
    Err(CliError::not_found(format!("no queue {queue:?}"))
        .field(field)
        .next(format!("name one of: {}", known.join(", "))))
}

async fn find(connection: &mut PgConnection, queue: &str) -> Result<Option<QueueStatus>, CliError> {
    let mut queues = list_queues(connection).await?;
    queues.retain(|found| found.name == queue);
    Ok(queues.pop())
}

fn changed(schema: &'static str, queue: Option<&QueueStatus>) -> Document {
    let text = queue.map(line).unwrap_or_default();
    Document::new(schema, json!({ "queue": queue })).with_text(text)
}

fn line(queue: &QueueStatus) -> String {
    format!("{}  {}", depth(queue), state(queue))
}

fn line_of_all(all: AllQueues) -> String {
    let AllQueues {
        running,
        concurrency,
    } = all;
    let limit = concurrency.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    format!("all queues together: running {running}/{limit}")
}

/// How full it is, as every line about a queue begins.
pub(super) fn depth(queue: &QueueStatus) -> String {
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
    format!(
        "{name:<14} ready {ready:>6} (oldest {oldest})  scheduled {scheduled:>6}  running \
         {running:>4}/{limit}  dead {dead:>4}"
    )
}

/// Whether it is open, and if not who closed it, for how long and why.
pub(super) fn state(queue: &QueueStatus) -> String {
    if queue.paused_at.is_none() {
        return "open".to_owned();
    }
    let by = queue.paused_by.as_deref().unwrap_or("unknown");
    let reason = queue.paused_reason.as_deref().unwrap_or("no reason given");
    let until = queue.paused_until;
    let until = until.map_or_else(|| "until resumed".to_owned(), |at| format!("until {at}"));
    format!("paused by {by} {until}: {reason}")
}
