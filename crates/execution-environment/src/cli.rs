//! The command tree, which `carrel` nests unchanged.

mod create;
mod destroy;
pub mod errors;
mod exams;
mod isolation;
mod logs;
mod meant;
mod plain;
mod signature;
mod status;
mod verify;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use create::CreateArgs;
pub use destroy::DestroyArgs;
pub use exams::{ApplyOptions, ExamsCommand};
pub use isolation::IsolationCommand;
pub use logs::LogsArgs;
pub use signature::SignatureArgs;
pub use status::{StatusArgs, View};
pub use verify::VerifyArgs;

/// Works on the environment of one session.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Creates the environment of a session, or adopts the one that is there
    Create(CreateArgs),
    /// Shows the environment of a session as the database or the runtime sees it, or compares both
    Status(StatusArgs),
    /// Proves the isolation of a session's environment once more, found against declared
    Verify(VerifyArgs),
    /// Shows the end of the log of a session's environment: what the keeper remarked
    Logs(LogsArgs),
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
            Self::Verify(args) => Box::pin(verify::run(args, globals)).await,
            Self::Logs(args) => Box::pin(logs::run(args, globals)).await,
            Self::Destroy(args) => destroy::run(args, globals).await,
            Self::Exams(command) => command.run(globals).await,
            Self::Isolation(command) => command.run(globals).await,
        }
    }
}
