//! The verbs of `session-recording`.

mod export;
mod keygen;
mod list;
mod output_file;
mod verify;

use clap::Subcommand;
use command_line::{CliError, Document, Exit, GlobalArgs, RunCommand};
use session_identity::ExamSessionId;

use crate::replay::ReadError;

/// What terminals showed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List recordings, newest session first.
    List(list::RecordingsListArgs),
    /// Prove that a recording is the one that was made, and say what is missing in it.
    ///
    /// Walks the chain: every number, hash and offset, and holds what was signed against it. Exit code 9 when
    /// it is broken, with the first place, or a signature is wrong; with keys also where none of them signed
    /// all of it.
    Verify(verify::VerifyArgs),
    /// Write a recording to a file, for a player or as the exact bytes.
    Export(export::ExportArgs),
    /// Make a key that signs recordings, and the public one that verifies them.
    Keygen(keygen::KeygenArgs),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::List(args) => list::run(args, globals).await,
            Self::Verify(args) => verify::run(args, globals).await,
            Self::Export(args) => export::run(args, globals).await,
            Self::Keygen(args) => keygen::run(&args),
        }
    }
}

fn no_recording(session_id: ExamSessionId) -> CliError {
    CliError::not_found(format!("session {session_id} has no recording"))
        .code("recording.not_found")
        .field("session-id")
        .next("session-recording list")
}

fn unreadable(error: ReadError) -> CliError {
    match error {
        ReadError::Database { source, .. } => source.into(),
        ReadError::Damaged { session_id, source } => {
            let message = "a segment of the recording is not what was recorded";
            CliError::new(Exit::Unhealthy, message)
                .code("recording.damaged")
                .caused_by(&source)
                .next(format!(
                    "session-recording verify --session-id {session_id}"
                ))
        }
    }
}
