//! `jobs …`.

mod export;
mod read;
mod wait;
mod write;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};

use wait::WaitArgs;

use super::bulk::{self, Asked};
use super::queues::must_be_known;
use super::{ActionArgs, BulkArgs, FilterArgs, PageArgs};
use crate::{BulkVerb, CountBy, JobPrefix};

/// Looks at jobs, retries, cancels and kills them.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Lists jobs, newest first, one page at a time
    List {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
        /// Which page.
        #[command(flatten)]
        page: PageArgs,
    },
    /// Counts jobs by queue, kind and state, or by what is asked for
    Count {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
        /// What to count by, joined by commas.
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "queue,kind,state"
        )]
        by: Vec<By>,
    },
    /// Prints jobs as JSON lines, oldest first, and how many as the last line
    Export {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Shows one job: its row, its runs, what operators did, and why it is not running
    Show {
        /// The job's id, or its beginning.
        id: JobPrefix,
    },
    /// Waits until jobs have ended
    ///
    /// Exit code 7 when one ended otherwise than done, 8 when the time ran out first.
    Wait(WaitArgs),
    /// Makes dead or cancelled jobs ready again, with fresh attempts: one by its id, or many
    Retry {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// Many: when they may start is spread evenly over this long from now.
        #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "id")]
        spread: Option<Duration>,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Cancels ready jobs and asks running ones to stop: one by its id, or many
    Cancel {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Puts ready jobs off: one by its id, or many
    Snooze {
        /// Which.
        #[command(flatten)]
        target: TargetArgs,
        /// How long from now, such as 90s, 10m or 2h.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        lasts: Duration,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Has ready jobs wait in another queue
    Move {
        /// Which jobs.
        #[command(flatten)]
        many: ManyArgs,
        /// The queue they shall wait in.
        #[arg(long, value_name = "QUEUE")]
        to: String,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Deletes jobs that have ended, and their history
    Purge {
        /// Which jobs.
        #[command(flatten)]
        many: ManyArgs,
        /// How many jobs it will be, as --dry-run counts them.
        #[arg(long, value_name = "COUNT")]
        confirm: Option<i64>,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Ends a run without its handler, whose late answer is refused
    ///
    /// What the handler does outside of the database may be under way and go on.
    Kill(KillArgs),
}

/// The flags that say which jobs, and how to go about many.
const PLURAL: [&str; 15] = [
    "state",
    "queue",
    "kind",
    "session",
    "since",
    "until",
    "older_than",
    "error",
    "id_file",
    "all",
    "dry_run",
    "yes",
    "expect",
    "rate",
    "no_wait",
];

/// One job, or many.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// The job's id, or its beginning; without, the flags say which.
    #[arg(conflicts_with_all = PLURAL)]
    id: Option<JobPrefix>,
    /// Which jobs.
    #[command(flatten)]
    many: ManyArgs,
}

/// Many jobs, and how to go about it.
#[derive(Args, Debug)]
pub struct ManyArgs {
    /// Which jobs.
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// How to go about it.
    #[command(flatten)]
    pub(super) bulk: BulkArgs,
}

/// What jobs are counted by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    /// Their state
    State,
    /// Their queue
    Queue,
    /// Their kind
    Kind,
    /// The group of their latest failure, as `dlq list` names it
    Error,
}

/// Which run to end, and what becomes of its job.
#[derive(Args, Debug)]
pub struct KillArgs {
    /// The job's id, or its beginning.
    id: JobPrefix,
    /// Makes the job ready again at once, instead of dead.
    #[arg(long)]
    requeue: bool,
    /// The job's whole id once more.
    #[arg(long, value_name = "JOB_ID")]
    confirm: Option<String>,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

impl RunCommand for JobsCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        let (many, verb, confirm, action) = match self {
            Self::List { filter, page } => return read::list(connection, &filter, &page).await,
            Self::Count { filter, by } => return read::count(connection, &filter, &by).await,
            Self::Export { filter } => return export::run(connection, &filter).await,
            Self::Show { id } => return read::show(connection, &id).await,
            Self::Wait(args) => return wait::run(connection, &args).await,
            Self::Kill(args) => return write::kill(connection, &args).await,
            Self::Retry {
                target,
                spread,
                action,
            } => {
                if let Some(id) = &target.id {
                    return write::retry(connection, id, &action).await;
                }
                let spread = spread.unwrap_or_default();
                (target.many, BulkVerb::Retry { spread }, None, action)
            }
            Self::Cancel { target, action } => {
                if let Some(id) = &target.id {
                    return write::cancel(connection, id, &action).await;
                }
                (target.many, BulkVerb::Cancel, None, action)
            }
            Self::Snooze {
                target,
                lasts,
                action,
            } => {
                if let Some(id) = &target.id {
                    return write::snooze(connection, id, lasts, &action).await;
                }
                (target.many, BulkVerb::Snooze { lasts }, None, action)
            }
            Self::Move { many, to, action } => {
                must_be_known(connection, "to", &to).await?;
                (many, BulkVerb::Move { to }, None, action)
            }
            Self::Purge {
                many,
                confirm,
                action,
            } => (many, BulkVerb::Purge, confirm, action),
        };
        let filter = many.filter.filter(connection).await?;
        let asked = Asked {
            verb,
            filter,
            confirm,
            bulk: &many.bulk,
            action: action.action(),
        };
        bulk::run(connection, globals.output, asked).await
    }
}

impl From<By> for CountBy {
    fn from(by: By) -> Self {
        match by {
            By::State => Self::State,
            By::Queue => Self::Queue,
            By::Kind => Self::Kind,
            By::Error => Self::Error,
        }
    }
}
