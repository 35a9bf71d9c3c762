//! The verbs of `session-status`.

mod line;
mod watch;

use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand, parse_duration};
use session_identity::ExamSessionId;
use session_lifecycle::cli::cli_error;
use sqlx::PgConnection;

pub use watch::{Watch, watch};

use crate::{StatusDocument, StatusError, status};

const GET: &str = "session-status/get.v1";

/// Shows where one exam session stands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the session's status once.
    Get(SessionArg),
    /// Show the status whenever it changes, one document per line, until the session has ended.
    ///
    /// Exit code 8 when the time ran out first.
    Watch(WatchArgs),
}

/// Names one session.
#[derive(Debug, Args)]
pub struct SessionArg {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
}

/// Which session, and for how long.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    session: SessionArg,
    /// For how long at most, such as 90s or 2h.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    timeout: Duration,
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let mut conn = globals.connect().await?.acquire().await?;
        match self {
            Self::Get(session) => get(&mut conn, session.session_id).await,
            Self::Watch(args) => {
                let what = Watch {
                    session_id: args.session.session_id,
                    timeout: args.timeout,
                    output: globals.output,
                };
                watch(&mut conn, &what).await
            }
        }
    }
}

async fn get(conn: &mut PgConnection, session_id: ExamSessionId) -> Result<Document, CliError> {
    let told = read(conn, session_id).await?;
    let text = format!(
        "{} {} of {} ({})",
        told.session_id, told.state, told.user_id, told.reference
    );
    Ok(Document::new(GET, told).with_text(text))
}

async fn read(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<StatusDocument, CliError> {
    let told = status(conn, session_id).await.map_err(failed)?;
    told.ok_or_else(|| {
        CliError::not_found(format!("there is no session {session_id}"))
            .code("session.not_found")
            .field("session-id")
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err calls")]
fn failed(error: StatusError) -> CliError {
    cli_error(error.class(), error.code(), &error)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    const ID: &str = "01982f6e-0000-7000-8000-000000000001";

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_malformed_and_a_missing_id_are_usage_errors() {
        let kind = |words: &[&str]| Cli::try_parse_from(words).unwrap_err().kind();
        for verb in ["get", "watch"] {
            let malformed = kind(&["session-status", verb, "--session-id", "0198"]);
            assert_eq!(malformed, ErrorKind::ValueValidation);
            assert_eq!(
                kind(&["session-status", verb]),
                ErrorKind::MissingRequiredArgument
            );
        }
        let endless = [
            "session-status",
            "watch",
            "--session-id",
            ID,
            "--timeout",
            "0s",
        ];
        assert_eq!(kind(&endless), ErrorKind::ValueValidation);
    }
}
