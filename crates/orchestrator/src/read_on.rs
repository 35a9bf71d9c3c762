//! Taking shells that must be on record and that no terminal process reads.

use std::time::Duration;

use environment_access::{Leaving, ReadShell, claim_unread_shells, leave_shells};
use execution_environment::{RuntimeName, RuntimeUid};
use session_identity::TerminalProcessId;
use session_lifecycle::load_session;
use sqlx::{PgConnection, PgPool};

use crate::attach::{place, wanted_recording};
use crate::{AttachRefusal, StepError, WantedRecording};

/// A shell that nobody read, and where it is.
#[derive(Debug, Clone)]
pub struct UnreadShell {
    /// What its last reader knew.
    pub shell: ReadShell,
    /// Its environment's name in the runtime.
    pub name: RuntimeName,
    /// Its environment's uid in the runtime.
    pub uid: RuntimeUid,
    /// What the exam wants kept of it.
    pub recording: WantedRecording,
}

/// Takes shells that nobody reads, at most `limit`; see [`claim_unread_shells`]. One whose environment is
/// not there is left for good. What was claimed before an error lapses, and is anybody's again.
///
/// # Errors
/// [`StepError`] of the database or of a row.
pub async fn take_unread_shells(
    pool: &PgPool,
    process: TerminalProcessId,
    lease: Duration,
    takes_lapsed: bool,
    limit: i64,
) -> Result<Vec<UnreadShell>, StepError> {
    let mut conn = pool.acquire().await?;
    let claimed = claim_unread_shells(&mut conn, process, lease, takes_lapsed, limit).await?;
    let (mut taken, mut nowhere) = (Vec::new(), Vec::new());
    for shell in claimed {
        match find(&mut conn, shell).await {
            Ok(unread) => taken.push(unread),
            Err(AttachRefusal::Other(error)) => return Err(error),
            Err(_) => nowhere.push((shell.session_id, shell.epoch, Leaving::Over)),
        }
    }
    if !nowhere.is_empty() {
        leave_shells(&mut conn, process, &nowhere).await?;
    }
    Ok(taken)
}

async fn find(conn: &mut PgConnection, shell: ReadShell) -> Result<UnreadShell, AttachRefusal> {
    let session = load_session(conn, shell.session_id).await?;
    let recording = wanted_recording(conn, session.as_ref()).await?;
    let (name, uid, _) = place(conn, shell.session_id).await?;
    Ok(UnreadShell {
        shell,
        name,
        uid,
        recording,
    })
}
