//! How many jobs of a queue, or of all queues together, may run at once.

use clap::Args;
use command_line::{CliError, Document};
use sqlx::PgConnection;

use super::must_be_known;
use super::write::change_queue;
use crate::cli::ActionArgs;
use crate::cli::act::{RehearsalArgs, act};
use crate::{AllQueues, limit_all_queues, limit_queue, load_all_queues, notify_workers};

const SCHEMA: &str = "job-queue/queues-set.v1";

/// Which queue or all, how many, who and why.
#[derive(Args, Debug)]
pub struct LimitArgs {
    /// The queue's name.
    #[arg(required_unless_present = "all")]
    queue: Option<String>,
    /// All queues together, instead of one; counts beside the limits of each.
    #[arg(long, conflicts_with = "queue")]
    all: bool,
    /// At most so many, or `none` for as many as workers have slots.
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    concurrency: Limit,
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

/// How many may run at once; `None` for no limit.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<i32>);

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

impl LimitArgs {
    pub(super) async fn set(&self, connection: &mut PgConnection) -> Result<Document, CliError> {
        let Some(queue) = &self.queue else {
            return self.set_all(connection).await;
        };
        must_be_known(connection, "queue", queue).await?;
        let Limit(concurrency) = self.concurrency;
        change_queue(connection, self.rehearsal, (queue, SCHEMA), async |it| {
            limit_queue(it, queue, concurrency, &self.action.action()).await
        })
        .await
    }

    async fn set_all(&self, connection: &mut PgConnection) -> Result<Document, CliError> {
        let Limit(concurrency) = self.concurrency;
        act(connection, self.rehearsal, &[], async |it| {
            limit_all_queues(it, concurrency, &self.action.action()).await?;
            // It is changed whether or not anybody hears of it; workers also poll.
            notify_workers(it).await.ok();
            let all = load_all_queues(it).await?;
            let data = serde_json::json!({ "all": all });
            Ok(Document::new(SCHEMA, data).with_text(line(all)))
        })
        .await
    }
}

/// How all queues together stand, for people.
pub(super) fn line(all: AllQueues) -> String {
    let AllQueues {
        running,
        concurrency,
    } = all;
    let limit = concurrency.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    format!("all queues together: running {running}/{limit}")
}
