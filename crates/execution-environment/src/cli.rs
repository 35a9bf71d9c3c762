//! The command tree, which `carrel` nests unchanged.

mod create;
mod destroy;
pub mod errors;
mod exams;
mod isolation;
mod status;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use create::CreateArgs;
pub use destroy::DestroyArgs;
pub use exams::{ApplyOptions, ExamsCommand};
pub use isolation::IsolationCommand;
pub use status::{StatusArgs, View};

/// Works on the environment of one session.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Creates the environment of a session, or adopts the one that is there
    Create(CreateArgs),
    /// Shows the environment of a session as the database or the runtime sees it
    Status(StatusArgs),
    /// Destroys the environment of a session and confirms that it is gone
    Destroy(DestroyArgs),
    /// Applies and shows exam definitions
    #[command(subcommand)]
    Exams(ExamsCommand),
    /// Records, lists and takes back decisions to do without a proof of isolation
    #[command(subcommand)]
    Isolation(IsolationCommand),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Create(args) => create::run(args, globals).await,
            Self::Status(args) => status::run(args, globals).await,
            Self::Destroy(args) => destroy::run(args, globals).await,
            Self::Exams(command) => command.run(globals).await,
            Self::Isolation(command) => command.run(globals).await,
        }
    }
}
