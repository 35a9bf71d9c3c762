//! `carrel jobs …`, and the `job-queue` binary.

mod args;
mod read;
mod write;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use session_identity::JobId;

pub use args::{ActionArgs, FilterArgs, PageArgs};

use crate::OperateError;

/// Looks at jobs, retries and cancels them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists jobs, newest first, one page at a time.
    List {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
        /// Which page.
        #[command(flatten)]
        page: PageArgs,
    },
    /// Counts jobs by queue, kind and state.
    Count {
        /// Which jobs.
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Shows one job: its row, its runs, what operators did, and why it is not running.
    Show {
        /// The job's id.
        id: JobId,
    },
    /// Makes a dead or cancelled job ready again, with fresh attempts.
    Retry {
        /// The job's id.
        id: JobId,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Cancels a ready job, or asks a running one to stop.
    Cancel {
        /// The job's id.
        id: JobId,
        /// Who and why.
        #[command(flatten)]
        action: ActionArgs,
    },
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let pool = globals.connect().await?;
        let mut connection = pool.acquire().await?;
        match self {
            Self::List { filter, page } => read::list(&mut connection, &filter, &page).await,
            Self::Count { filter } => read::count(&mut connection, &filter).await,
            Self::Show { id } => read::show(&mut connection, id).await,
            Self::Retry { id, action } => write::retry(&mut connection, id, &action).await,
            Self::Cancel { id, action } => write::cancel(&mut connection, id, &action).await,
        }
    }
}

/// Turns a refused act into its exit code: refusals are conflicts with the job's state.
fn cli_error(error: OperateError) -> CliError {
    match error {
        OperateError::NotFound { .. } | OperateError::ScheduleNotFound { .. } => {
            CliError::not_found(error.to_string())
        }
        OperateError::Refused { id, .. } => {
            CliError::conflict(error.to_string()).next(format!("carrel jobs show {id}"))
        }
        OperateError::KeyTaken { holder, .. } => {
            CliError::conflict(error.to_string()).next(format!("carrel jobs show {holder}"))
        }
        OperateError::Database(source) => source.into(),
    }
}
