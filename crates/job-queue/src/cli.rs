//! `carrel jobs …`, `queues …`, `workers …` and `schedules …`, and the `job-queue` binary.

mod args;
mod errors;
mod jobs;
mod queues;
mod schedules;
mod workers;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use args::{ActionArgs, FilterArgs, PageArgs};
pub use jobs::JobsCommand;
pub use queues::QueuesCommand;
pub use schedules::SchedulesCommand;
pub use workers::WorkersCommand;

/// Looks at jobs, retries and cancels them; and the queues, workers and schedules around them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The verbs of jobs stand at the top.
    #[command(flatten)]
    Jobs(JobsCommand),
    /// Queues: how full they are, and their switches
    #[command(subcommand)]
    Queues(QueuesCommand),
    /// Workers: who lives, and having one claim nothing
    #[command(subcommand)]
    Workers(WorkersCommand),
    /// Schedules: when each last ran, and their switches
    #[command(subcommand)]
    Schedules(SchedulesCommand),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Jobs(command) => command.run(globals).await,
            Self::Queues(command) => command.run(globals).await,
            Self::Workers(command) => command.run(globals).await,
            Self::Schedules(command) => command.run(globals).await,
        }
    }
}
