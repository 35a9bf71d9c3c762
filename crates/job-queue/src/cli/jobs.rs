//! `jobs …`.

mod export;
mod many;
mod read;
mod wait;
mod write;

use clap::{Args, Subcommand, ValueEnum};
use command_line::{CliError, Document, GlobalArgs, RunCommand};

use many::ManyCommand;
use wait::WaitArgs;

use super::act::RehearsalArgs;
use super::{ActionArgs, FilterArgs, PageArgs};
use crate::{CountBy, JobPrefix};

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
    /// Exit code 7 when one ended otherwise than done and was not waited for with `--for terminal`, 8 when
    /// the time ran out first.
    Wait(WaitArgs),
    /// The verbs that change one job or many.
    #[command(flatten)]
    Many(ManyCommand),
    /// Ends a run without its handler, whose late answer is refused
    ///
    /// What the handler does outside of the database may be under way and go on.
    Kill(KillArgs),
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
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
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
            Self::List { filter, page } => read::list(connection, globals, &filter, &page).await,
            Self::Count { filter, by } => read::count(connection, &filter, &by).await,
            Self::Export { filter } => export::run(connection, &filter).await,
            Self::Show { id } => read::show(connection, &id).await,
            Self::Wait(args) => wait::run(connection, &args).await,
            Self::Many(command) => command.run(connection, globals.output).await,
            Self::Kill(args) => write::kill(connection, &args).await,
        }
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
