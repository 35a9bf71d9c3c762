//! `sessions wait`.

use std::time::Duration;

use command_line::{CliError, Document, Exit, GlobalArgs};
use serde_json::json;
use session_lifecycle::{SessionRecord, SessionState, load_session};
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};

use super::{WaitArgs, WaitFor, failure};

/// One row by its key: cheap, and well under what a person notices.
const POLL: Duration = Duration::from_millis(200);

pub(super) async fn run(args: &WaitArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let give_up = Instant::now() + args.timeout;
    let mut connection = globals.connect().await?.acquire().await?;
    loop {
        let session = load(&mut connection, args).await?;
        match stands(session.state, args.what) {
            Stands::There => return Ok(done(&session)),
            Stands::Never => return Err(never(&session, args)),
            Stands::NotYet if Instant::now() >= give_up => return Err(too_late(&session, args)),
            Stands::NotYet => sleep_until((Instant::now() + POLL).min(give_up)).await,
        }
    }
}

async fn load(connection: &mut PgConnection, args: &WaitArgs) -> Result<SessionRecord, CliError> {
    let session = load_session(connection, args.id)
        .await
        .map_err(failure::load)?;
    session.ok_or_else(|| failure::no_session(args.id))
}

#[derive(Debug, PartialEq, Eq)]
enum Stands {
    There,
    NotYet,
    Never,
}

fn stands(state: SessionState, what: WaitFor) -> Stands {
    let there = match what {
        WaitFor::Ready => SessionState::ATTACHABLE.contains(&state),
        WaitFor::Running => state == SessionState::Running,
        WaitFor::Ended => state.is_terminal(),
    };
    match (there, state.is_terminal()) {
        (true, _) => Stands::There,
        (false, true) => Stands::Never,
        (false, false) => Stands::NotYet,
    }
}

fn done(session: &SessionRecord) -> Document {
    let text = format!("{} is {}", session.id, session.state);
    Document::new(
        "orchestrator/sessions-wait.v1",
        json!({ "session": session }),
    )
    .with_text(text)
}

fn never(session: &SessionRecord, args: &WaitArgs) -> CliError {
    let what = word(args.what);
    CliError::conflict(format!(
        "{} is {} and will never be {what}",
        args.id, session.state
    ))
    .code("session.ended")
    .next(format!("carrel sessions show {}", args.id))
}

fn too_late(session: &SessionRecord, args: &WaitArgs) -> CliError {
    let (id, what) = (args.id, word(args.what));
    let message = format!("{id} is {} and was not {what} in time", session.state);
    CliError::new(Exit::TimedOut, message)
        .code("wait.timed_out")
        .next(format!("carrel sessions show {id}, or a longer --timeout"))
}

const fn word(what: WaitFor) -> &'static str {
    match what {
        WaitFor::Ready => "ready",
        WaitFor::Running => "running",
        WaitFor::Ended => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_counts_as_ready_and_an_ended_session_is_not_waited_for() {
        use SessionState::{Created, Failed, Running, Terminated};
        assert_eq!(stands(Created, WaitFor::Ready), Stands::NotYet);
        assert_eq!(stands(Running, WaitFor::Ready), Stands::There);
        assert_eq!(stands(Failed, WaitFor::Ready), Stands::Never);
        assert_eq!(stands(Terminated, WaitFor::Running), Stands::Never);
        assert_eq!(stands(Failed, WaitFor::Ended), Stands::There);
    }
}
