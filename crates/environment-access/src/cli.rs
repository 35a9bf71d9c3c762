//! The verbs of `environment-access`.

mod authorize;
mod deny;
mod explain;
mod token;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

use crate::authorize::PublicAnswer;

/// Who may reach an environment.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decide whether a user may do something with a session, and say the true reason.
    Authorize(authorize::AuthorizeArgs),
    /// Show what a denied caller is told, and record a denial if a session is named.
    Deny(deny::DenyArgs),
    /// Show why a candidate gets into a session or not: each fact, the answer, who came before.
    Explain(explain::ExplainArgs),
    /// Login tokens for development.
    #[command(subcommand)]
    Token(token::TokenCommand),
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Authorize(args) => authorize::run(args, globals).await,
            Self::Deny(args) => deny::run(args, globals).await,
            Self::Explain(args) => explain::run(args, globals).await,
            Self::Token(token::TokenCommand::Issue(args)) => token::issue(&args),
        }
    }
}

/// A public answer as JSON.
fn public_json(answer: PublicAnswer) -> serde_json::Value {
    serde_json::json!({
        "status": answer.status(),
        "code": answer.code(),
        "detail": answer.message(),
    })
}
