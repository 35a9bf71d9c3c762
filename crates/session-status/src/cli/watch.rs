//! `watch`: the status at every change.

use std::time::Duration;

use command_line::{CliError, Document, Exit, OutputFormat, print_line};
use session_identity::ExamSessionId;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};

use super::{GET, failed, line, read};
use crate::{Revision, StatusDocument, revisions};

/// How often to look for a new revision: one row by its key, well under what a person notices.
const POLL: Duration = Duration::from_millis(500);

/// What to watch, and how.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The session.
    pub session_id: ExamSessionId,
    /// For how long at most.
    pub timeout: Duration,
    /// How each status is printed.
    pub output: OutputFormat,
}

/// Prints the status now and at every change, one a line, until the session has ended. The last one
/// is returned, for the caller to print as the command's own.
///
/// As text, a line is printed only where a person would see a difference to the one before.
///
/// # Errors
/// Not found, timed out when the session has not ended in time, or what the database says.
pub async fn watch(conn: &mut PgConnection, watch: &Watch) -> Result<Document, CliError> {
    let give_up = Instant::now() + watch.timeout;
    let mut last = None;
    loop {
        let told = read(conn, watch.session_id).await?;
        if told.state.is_terminal() {
            return Ok(document(&told));
        }
        let words = line::words(&told);
        let is_news = !watch.output.is_for_people() || last.as_ref() != Some(&words);
        if is_news && !print_line(&document(&told), watch.output)? {
            return Ok(document(&told));
        }
        last = Some(words);
        until_changed(conn, &told, give_up).await?;
    }
}

fn document(told: &StatusDocument) -> Document {
    Document::new(GET, told).with_text(line::write(told))
}

async fn until_changed(
    conn: &mut PgConnection,
    told: &StatusDocument,
    give_up: Instant,
) -> Result<(), CliError> {
    let same = [Revision {
        session_id: told.session_id,
        revision: told.revision,
    }];
    while revisions(conn, &[told.session_id]).await.map_err(failed)? == same {
        if Instant::now() >= give_up {
            return Err(too_late(told));
        }
        sleep_until((Instant::now() + POLL).min(give_up)).await;
    }
    Ok(())
}

fn too_late(told: &StatusDocument) -> CliError {
    let message = format!(
        "{} is {} and did not end in time",
        told.session_id, told.state
    );
    CliError::new(Exit::TimedOut, message)
        .code("watch.timed_out")
        .next("watch again, with a longer --timeout")
}
