//! Taking shells that must be on record and that no terminal process reads.

use std::time::Duration;

use environment_access::{Leaving, ReadShell, claim_unread_shells, leave_shells};
use execution_environment::{RuntimeName, RuntimeUid};
use session_identity::{ExamSessionId, TerminalProcessId};
use session_lifecycle::load_session;
use sqlx::PgPool;
use tokio::time::{Instant, timeout, timeout_at};

use crate::attach::{place, wanted_recording};
use crate::{AttachRefusal, StepError, WantedRecording};

/// Claiming, finding and telling have so long each: together no longer than a lease.
const WITHIN: Duration = Duration::from_secs(2);

/// Whose shell, at which attach, and what becomes of it.
type Left = (ExamSessionId, i64, Leaving);

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

/// What a process takes at once of what nobody reads.
#[derive(Debug)]
pub struct UnreadShells {
    /// What it is to read.
    pub taken: Vec<UnreadShell>,
    /// Whether others may wait to be taken.
    pub may_be_more: bool,
}

/// Takes shells that nobody reads, at most `limit`; see [`claim_unread_shells`]. One whose environment is
/// not there is left for good. What was claimed and is not returned lapses, and is anybody's again: a row
/// that cannot be read keeps nobody from the others.
///
/// # Errors
/// [`StepError`] of the database: it did not answer, and nothing is returned.
pub async fn take_unread_shells(
    pool: &PgPool,
    process: TerminalProcessId,
    lease: Duration,
    takes_lapsed: bool,
    limit: i64,
) -> Result<UnreadShells, StepError> {
    let claiming = async {
        let mut conn = pool.acquire().await?;
        claim_unread_shells(&mut conn, process, lease, takes_lapsed, limit).await
    };
    let claimed = timeout(WITHIN, claiming).await;
    let claimed = claimed.unwrap_or_else(|_| Err(late()))?;
    let (taken, left) = find_each(pool, claimed.shells).await;
    if !left.is_empty() {
        leave(pool, process, &left).await;
    }
    Ok(UnreadShells {
        taken,
        may_be_more: claimed.may_be_more,
    })
}

/// Finds each, and says what becomes of those that are not to be read here. Where the database answers
/// too late, the rest is anybody's at once: what was found so far must not wait for it.
async fn find_each(pool: &PgPool, claimed: Vec<ReadShell>) -> (Vec<UnreadShell>, Vec<Left>) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    let (mut claimed, until) = (claimed.into_iter(), Instant::now() + WITHIN);
    for shell in claimed.by_ref() {
        match timeout_at(until, find(pool, shell)).await {
            Ok(Ok(unread)) => taken.push(unread),
            Ok(Err(AttachRefusal::Other(error))) => {
                tracing::warn!(session.id = %shell.session_id, %error,
                    "a shell that no process reads could not be looked up");
            }
            Ok(Err(_)) => left.push((shell.session_id, shell.epoch, Leaving::Over)),
            Err(_) => {
                left.push(at_once(shell));
                break;
            }
        }
    }
    left.extend(claimed.map(at_once));
    (taken, left)
}

const fn at_once(shell: ReadShell) -> Left {
    (
        shell.session_id,
        shell.epoch,
        Leaving::Unread(Duration::ZERO),
    )
}

/// Says what becomes of them, once: what is not told lapses.
async fn leave(pool: &PgPool, process: TerminalProcessId, left: &[Left]) {
    let telling = async {
        let mut conn = pool.acquire().await?;
        leave_shells(&mut conn, process, left).await
    };
    let told = timeout(WITHIN, telling).await;
    if let Err(error) = told.unwrap_or_else(|_| Err(late())) {
        tracing::debug!(%error, "shells that are not to be read here lapse");
    }
}

fn late() -> sqlx::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

async fn find(pool: &PgPool, shell: ReadShell) -> Result<UnreadShell, AttachRefusal> {
    let mut conn = pool.acquire().await?;
    let session = load_session(&mut conn, shell.session_id).await?;
    let recording = wanted_recording(&mut conn, session.as_ref()).await?;
    let (name, uid, _) = place(&mut conn, shell.session_id).await?;
    Ok(UnreadShell {
        shell,
        name,
        uid,
        recording,
    })
}
