//! `environment-access token`.

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use session_identity::{Role, UserId};

use crate::token::{MintError, TokenRequest, issue_token};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an HS256 login token for development; it is printed.
    Issue(IssueArgs),
}

/// Whom the token is for.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// The user it names.
    #[arg(long)]
    user_id: UserId,
    /// Their role: candidate, invigilator, operator or service.
    #[arg(long, default_value = "candidate")]
    role: Role,
    /// How long it lasts, in seconds: 1 to 604800.
    #[arg(long, default_value_t = 4 * 3600)]
    lifetime_seconds: u64,
    /// The secret that the processes verify with, at least 32 bytes.
    #[arg(long, env = "CARREL_TOKEN_HS256_SECRET", hide_env_values = true)]
    hs256_secret: SecretString,
    /// Issuer the token names.
    #[arg(long, env = "CARREL_TOKEN_ISSUER", default_value = "exam-platform")]
    issuer: String,
    /// Audience the token names.
    #[arg(long, env = "CARREL_TOKEN_AUDIENCE", default_value = "carrel")]
    audience: String,
}

/// Makes a token and prints it.
pub(super) fn issue(args: &IssueArgs) -> Result<Document, CliError> {
    let request = TokenRequest {
        user_id: args.user_id.clone(),
        role: args.role,
        lifetime: Duration::from_secs(args.lifetime_seconds),
        issuer: args.issuer.clone(),
        audience: args.audience.clone(),
    };
    let issued = issue_token(&request, &args.hs256_secret).map_err(|error| refuse(&error))?;
    let token = issued.token.expose_secret();
    let data = json!({
        "token": token,
        "login_id": issued.login_id.as_str(),
        "user_id": args.user_id,
        "role": args.role,
        "expires_in_seconds": issued.expires_in.as_secs(),
    });
    Ok(Document::new("environment-access/token.v1", data).with_text(token.to_owned()))
}

fn refuse(error: &MintError) -> CliError {
    let field = match error {
        MintError::Key(_) => "hs256-secret",
        MintError::Lifetime { .. } => "lifetime-seconds",
        MintError::Sign(_) => return CliError::bug(error),
    };
    let message = match error {
        MintError::Key(source) => source.to_string(),
        other => other.to_string(),
    };
    CliError::usage(field, format!("failed to {message}"))
}
