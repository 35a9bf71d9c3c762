//! The verbs of `session-lifecycle`.

mod failure;
mod step;

use clap::{Args, Subcommand};
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde::Serialize;
use session_identity::{Actor, ExamSessionId, UserId};
use sqlx::PgConnection;

pub use failure::cli_error;
pub use step::StepArgs;

use crate::{
    Expected, Provenance, SessionRecord, SessionState, TransitionError, advance, allowed_from,
    extensions, history, load_session,
};

/// Shows and changes the state of one exam session.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the session's row and what may follow.
    Show(SessionArg),
    /// Show every transition and extension of the session, oldest first.
    History(SessionArg),
    /// Show the transition table. Needs no database.
    Table,
    /// Advance the session, if the table allows it.
    Transition(TransitionArgs),
}

/// Names one session.
#[derive(Debug, Args)]
pub struct SessionArg {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
}

/// Names one transition.
#[derive(Debug, Args)]
pub struct TransitionArgs {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session_id: ExamSessionId,
    #[command(flatten)]
    step: StepArgs,
    /// Who makes the transition; recorded as `staff:<user>`.
    #[arg(long = "as", value_name = "USER", env = "CARREL_ACTOR", value_parser = parse_user)]
    by: UserId,
}

fn parse_user(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

impl RunCommand for Command {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Show(session) => show(globals, session.session_id).await,
            Self::History(session) => show_history(globals, session.session_id).await,
            Self::Table => Ok(table()),
            Self::Transition(args) => transition(globals, args).await,
        }
    }
}

/// A session beside what may follow.
#[derive(Serialize)]
struct Shown {
    session: SessionRecord,
    allowed: Vec<SessionState>,
}

impl Shown {
    fn of(session: SessionRecord) -> Self {
        Self {
            allowed: allowed_from(session.state),
            session,
        }
    }

    fn text(&self) -> String {
        let session = &self.session;
        format!(
            "{} {} v{} of {} (version {})\n",
            session.id, session.state, session.exam_version, session.user_id, session.version
        )
    }
}

async fn show(globals: &GlobalArgs, session_id: ExamSessionId) -> Result<Document, CliError> {
    let mut conn = globals.connect().await?.acquire().await?;
    let session = load_session(&mut conn, session_id)
        .await
        .map_err(|error| cli_error(error.class(), error.code(), &error))?
        .ok_or_else(|| no_session(session_id))?;
    let shown = Shown::of(session);
    let text = shown.text();
    Ok(Document::new("session-lifecycle/show.v1", shown).with_text(text))
}

async fn show_history(
    globals: &GlobalArgs,
    session_id: ExamSessionId,
) -> Result<Document, CliError> {
    #[derive(Serialize)]
    struct History {
        session_id: ExamSessionId,
        transitions: Vec<crate::TransitionRecord>,
        extensions: Vec<crate::ExtensionRecord>,
    }
    let failed = |error: crate::LoadError| cli_error(error.class(), error.code(), &error);
    let mut conn = globals.connect().await?.acquire().await?;
    let transitions = history(&mut conn, session_id).await.map_err(failed)?;
    if transitions.is_empty() {
        return Err(no_session(session_id));
    }
    let extensions = extensions(&mut conn, session_id).await.map_err(failed)?;
    let text: String = transitions.iter().map(line).collect();
    let document = History {
        session_id,
        transitions,
        extensions,
    };
    Ok(Document::new("session-lifecycle/history.v1", document).with_text(text))
}

fn line(row: &crate::TransitionRecord) -> String {
    format!(
        "{}  {:<13} {}  {}\n",
        row.at,
        row.to.as_str(),
        row.actor,
        row.cause
    )
}

fn table() -> Document {
    #[derive(Serialize)]
    struct Row {
        from: SessionState,
        to: Vec<SessionState>,
    }
    #[derive(Serialize)]
    struct Table {
        states: Vec<Row>,
    }
    let row = |from| Row {
        from,
        to: allowed_from(from),
    };
    let states = SessionState::ALL.into_iter().map(row).collect();
    Document::new("session-lifecycle/table.v1", Table { states }).with_text(crate::diagram())
}

async fn transition(globals: &GlobalArgs, args: TransitionArgs) -> Result<Document, CliError> {
    let to = args.step.to;
    // Whatever can be refused without a database is refused without one.
    let step = args.step.into_advance()?;
    let provenance = Provenance {
        actor: Actor::Staff(args.by),
        cause: "cli:transition".into(),
        job_id: None,
        trace: None,
    };
    let mut tx = globals.connect().await?.begin().await?;
    let Some(step) = step else {
        return Err(never(&mut tx, args.session_id, to).await?);
    };
    let session = advance(
        &mut tx,
        args.session_id,
        Expected::AnyVersion,
        step,
        &provenance,
    )
    .await
    .map_err(|error| explain(&error, to))?;
    tx.commit().await?;
    let shown = Shown::of(session);
    let text = shown.text();
    Ok(Document::new("session-lifecycle/transition.v1", shown).with_text(text))
}

/// Refuses a state to which no transition leads, whatever state the session is in.
async fn never(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    to: SessionState,
) -> Result<CliError, CliError> {
    let session = load_session(conn, session_id)
        .await
        .map_err(|error| cli_error(error.class(), error.code(), &error))?
        .ok_or_else(|| no_session(session_id))?;
    let from = session.state;
    Ok(explain(
        &TransitionError::Refused {
            session_id,
            from,
            to,
        },
        to,
    ))
}

/// Names the field and what would have been allowed.
fn explain(error: &TransitionError, to: SessionState) -> CliError {
    if let TransitionError::NotFound { session_id } = error {
        return no_session(*session_id);
    }
    let mut told = cli_error(error.class(), error.code(), error);
    if let TransitionError::Refused { from, .. } = error {
        told.field = Some("to".to_owned());
        let allowed = allowed_from(*from);
        let words: Vec<_> = allowed.iter().map(|state| state.as_str()).collect();
        told.next = Some(if words.is_empty() {
            format!("{from} is final: nothing follows it, {to} neither")
        } else {
            format!("allowed from {from}: {}", words.join(", "))
        });
    }
    told
}

fn no_session(session_id: ExamSessionId) -> CliError {
    let mut told = CliError::not_found(format!("there is no session {session_id}"));
    told.field = Some("session-id".to_owned());
    "session.not_found".clone_into(&mut told.code);
    told
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

    const ID: &str = "01982f6e-0000-7000-8000-000000000001";

    fn parse(words: &[&str]) -> Result<Command, ErrorKind> {
        let all = std::iter::once(&"session-lifecycle").chain(words);
        Cli::try_parse_from(all)
            .map(|cli| cli.command)
            .map_err(|error| error.kind())
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn malformed_ids_states_and_users_are_usage_errors() {
        for words in [
            &["show", "--session-id", "0198"][..],
            &["show", "--session-id", ""],
            &["transition", "--session-id", ID, "--to", "done"],
            &[
                "transition",
                "--session-id",
                ID,
                "--to",
                "ready",
                "--as",
                "a b",
            ],
        ] {
            assert_eq!(
                parse(words).unwrap_err(),
                ErrorKind::ValueValidation,
                "{words:?}"
            );
        }
        for words in [&["show"][..], &["transition", "--session-id", ID]] {
            assert_eq!(
                parse(words).unwrap_err(),
                ErrorKind::MissingRequiredArgument,
                "{words:?}"
            );
        }
    }

    /// The field a transition is refused for before any database is asked.
    fn refused(words: &[&str]) -> Option<String> {
        let named = ["transition", "--session-id", ID, "--as", "dana", "--to"];
        let all = [&named[..], words].concat();
        match parse(&all).unwrap() {
            Command::Transition(args) => args.step.into_advance().err().and_then(|e| e.field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_final_state_needs_its_reason_and_a_failure_its_code() {
        for (words, field) in [
            (&["created"][..], None),
            (&["initializing"], None),
            (&["terminated"], Some("reason")),
            (&["terminated", "--reason", " "], Some("reason")),
            (&["terminated", "--reason", "INC-7"], None),
            (&["failed", "--code", "infra.node_lost"], Some("reason")),
            (&["failed", "--reason", "INC-7"], Some("code")),
            (
                &["failed", "--reason", "INC-7", "--code", "infra"],
                Some("code"),
            ),
            (
                &["failed", "--reason", "INC-7", "--code", "infra.Node"],
                Some("code"),
            ),
            (
                &["failed", "--reason", "INC-7", "--code", "infra.node_lost"],
                None,
            ),
        ] {
            assert_eq!(refused(words).as_deref(), field, "{words:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_what_is_allowed() {
        let session_id = ID.parse().unwrap();
        let (from, to) = (SessionState::Ready, SessionState::Created);
        let told = explain(
            &TransitionError::Refused {
                session_id,
                from,
                to,
            },
            to,
        );
        assert_eq!(told.code, "session.transition_refused");
        assert_eq!(told.field.as_deref(), Some("to"));
        assert_eq!(
            told.next.as_deref(),
            Some("allowed from ready: running, terminated, failed")
        );
    }
}
