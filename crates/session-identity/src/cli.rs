//! `session-identity`: checks that ids are what they claim to be.

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde_json::json;

use crate::{ExamSessionId, UserId};

/// What `session-identity` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks a user id and a session id; neither is looked up.
    Validate {
        /// The exam platform's name for the person.
        #[arg(long)]
        user_id: String,
        /// The session's UUID.
        #[arg(long)]
        session_id: String,
    },
}

impl RunCommand for Command {
    async fn run(self, _globals: &GlobalArgs) -> Result<Document, CliError> {
        let Self::Validate {
            user_id,
            session_id,
        } = self;
        let user_id = UserId::parse(&user_id)
            .map_err(|error| CliError::usage("user-id", error.to_string()))?;
        let session_id: ExamSessionId = session_id
            .parse()
            .map_err(|error: crate::IdError| CliError::usage("session-id", error.to_string()))?;
        let document = json!({ "user_id": user_id, "exam_session_id": session_id });
        Ok(
            Document::new("session-identity/validate.v1", document).with_text(format!(
                "user {user_id} and session {session_id} are well-formed"
            )),
        )
    }
}
