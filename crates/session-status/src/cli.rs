//! The verbs of `session-status`.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde_json::json;
use session_identity::ExamSessionId;
use session_lifecycle::cli::cli_error;
use sqlx::PgConnection;

use crate::{Revision, StatusDocument, StatusError, revisions, status};

const GET: &str = "session-status/get.v1";

/// How often `watch` looks for a new revision: one row by its key, well under what a person notices.
const POLL: Duration = Duration::from_millis(500);

/// Shows where one exam session stands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the session's status once.
    Get(SessionArg),
    /// Show the status whenever it changes, one JSON document per line, until the session has
    /// ended.
    Watch(SessionArg),
}

/// Names one session.
#[derive(Debug, Args)]
pub struct SessionArg {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let mut conn = globals.connect().await?.acquire().await?;
        let told = match self {
            Self::Get(session) => read(&mut conn, session.session_id).await?,
            Self::Watch(session) => watch(&mut conn, session.session_id).await?,
        };
        let text = text(&told);
        Ok(Document::new(GET, told).with_text(text))
    }
}

async fn read(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<StatusDocument, CliError> {
    status(conn, session_id)
        .await
        .map_err(failed)?
        .ok_or_else(|| {
            let mut told = CliError::not_found(format!("there is no session {session_id}"));
            told.field = Some("session-id".to_owned());
            "session.not_found".clone_into(&mut told.code);
            told
        })
}

/// Prints every document but the last, which the caller prints as the command's own.
async fn watch(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<StatusDocument, CliError> {
    loop {
        let told = read(conn, session_id).await?;
        if told.state.is_terminal() {
            return Ok(told);
        }
        let line = format!(r#"{{"schema":"{GET}","data":{}}}"#, json!(told));
        if writeln!(std::io::stdout(), "{line}").is_err() {
            return Ok(told);
        }
        until_changed(conn, &told).await?;
    }
}

async fn until_changed(conn: &mut PgConnection, told: &StatusDocument) -> Result<(), CliError> {
    let same = [Revision {
        session_id: told.session_id,
        revision: told.revision,
    }];
    while revisions(conn, &[told.session_id]).await.map_err(failed)? == same {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err calls")]
fn failed(error: StatusError) -> CliError {
    cli_error(error.class(), error.code(), &error)
}

fn text(told: &StatusDocument) -> String {
    format!(
        "{} {} of {} ({})\n",
        told.session_id, told.state, told.user_id, told.reference
    )
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

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
    }
}
