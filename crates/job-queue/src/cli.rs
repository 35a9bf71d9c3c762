//! `carrel jobs …`, `ops …`, `dlq …`, `queues …`, `workers …` and `schedules …`, and the `job-queue` binary.

mod act;
mod args;
mod bench;
mod bulk;
mod dlq;
mod errors;
mod filter;
mod jobs;
mod operations;
mod progress;
mod queue_state;
mod queues;
mod reading;
mod schedules;
mod stats;
mod workers;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use act::RehearsalArgs;
pub use args::{ActionArgs, PageArgs, ReasonedActionArgs};
pub use bench::BenchArgs;
pub use bulk::BulkArgs;
pub use dlq::DlqCommand;
pub use filter::{FilterArgs, ScopeArgs};
pub use jobs::JobsCommand;
pub use operations::OperationsCommand;
pub use queues::QueuesCommand;
pub use schedules::SchedulesCommand;
pub use workers::WorkersCommand;

/// Looks at jobs, retries and cancels them; and the queues, workers and schedules around them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The verbs of jobs stand at the top.
    #[command(flatten)]
    Jobs(JobsCommand),
    /// Operations on many jobs: how far they are, and ending one early
    #[command(subcommand)]
    Ops(OperationsCommand),
    /// Dead jobs, grouped by what killed them
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Queues: how full they are, and their switches
    #[command(subcommand)]
    Queues(QueuesCommand),
    /// Workers: who lives, and having one claim nothing
    #[command(subcommand)]
    Workers(WorkersCommand),
    /// Schedules: when each last ran, and their switches
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// Measures the queue on an empty database, and leaves it empty
    ///
    /// Where there are jobs nothing is measured (exit 4): figures beside other work say nothing, and work
    /// beside a benchmark suffers.
    Bench(BenchArgs),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Jobs(command) => command.run(globals).await,
            Self::Ops(command) => command.run(globals).await,
            Self::Dlq(command) => command.run(globals).await,
            Self::Queues(command) => command.run(globals).await,
            Self::Workers(command) => command.run(globals).await,
            Self::Schedules(command) => command.run(globals).await,
            Self::Bench(args) => args.run(globals).await,
        }
    }
}
