//! `jobs …`.

mod read;
mod wait;
mod write;

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use session_identity::JobId;

use wait::WaitArgs;

use super::{ActionArgs, FilterArgs, PageArgs};

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
    /// Counts jobs by queue, kind and state
    Count {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Shows one job: its row, its runs, what operators did, and why it is not running
    Show {
        /// The job's id.
        id: JobId,
    },
    /// Waits until jobs have ended
    ///
    /// Exit code 7 when one ended otherwise than done, 8 when the time ran out first.
    Wait(WaitArgs),
    /// Makes a dead or cancelled job ready again, with fresh attempts
    Retry {
        /// The job's id.
        id: JobId,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Cancels a ready job, or asks a running one to stop
    Cancel {
        /// The job's id.
        id: JobId,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Puts a ready job off
    Snooze {
        /// The job's id.
        id: JobId,
        /// How long from now, such as 90s, 10m or 2h.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        lasts: Duration,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Ends a run without its handler, whose late answer is refused
    ///
    /// What the handler does outside of the database may be under way and go on.
    Kill(KillArgs),
}

/// Which run to end, and what becomes of its job.
#[derive(Args, Debug)]
pub struct KillArgs {
    /// The job's id.
    id: JobId,
    /// Makes the job ready again at once, instead of dead.
    #[arg(long)]
    requeue: bool,
    /// The job's id once more.
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
        match self {
            Self::List { filter, page } => read::list(connection, &filter, &page).await,
            Self::Count { filter } => read::count(connection, &filter).await,
            Self::Show { id } => read::show(connection, id).await,
            Self::Wait(args) => wait::run(connection, &args).await,
            Self::Retry { id, action } => write::retry(connection, id, &action).await,
            Self::Cancel { id, action } => write::cancel(connection, id, &action).await,
            Self::Snooze { id, lasts, action } => {
                write::snooze(connection, id, lasts, &action).await
            }
            Self::Kill(args) => write::kill(connection, &args).await,
        }
    }
}
