//! Ending what is due.

use serde::Serialize;
use session_identity::ExamSessionId;
use session_lifecycle::{
    Advance, Ending, EndingKind, Expected, Provenance, SessionRecord, advance, find_due,
    load_session,
};
use sqlx::PgConnection;

use crate::deadline::{Verdict, judge};
use crate::error::SweepError;
use crate::policy::ExpiryPolicy;
use crate::store::database_now;

/// Describes one session that was ended because its time was over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expired {
    /// The session after it.
    pub session: SessionRecord,
    /// How it ended.
    pub ending: EndingKind,
}

/// Ends every due session of one batch, in the caller's transaction, which keeps their rows locked.
///
/// The caller enqueues the teardown of each in the same transaction. Rows another sweep holds are
/// left to it; fewer than `policy.batch` results mean that nothing more was due.
///
/// # Errors
/// [`SweepError`]; the caller rolls back and nothing of the batch is written.
pub async fn expire_due(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
    provenance: &Provenance,
) -> Result<Vec<Expired>, SweepError> {
    let mut expired = Vec::new();
    for (session_id, ending) in due(conn, policy).await? {
        let step = Advance::Terminate(Ending {
            kind: ending,
            note: None,
        });
        let session = advance(conn, session_id, Expected::AnyVersion, step, provenance).await?;
        expired.push(Expired { session, ending });
    }
    Ok(expired)
}

/// Says what [`expire_due`] would end now, and ends nothing. The rows stay locked until the
/// caller's transaction ends.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn preview_due(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
) -> Result<Vec<(ExamSessionId, EndingKind)>, SweepError> {
    due(conn, policy).await
}

/// Finds and locks due sessions and judges each again under its lock.
async fn due(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
) -> Result<Vec<(ExamSessionId, EndingKind)>, SweepError> {
    let now = database_now(conn).await?;
    let mut due = Vec::new();
    for session_id in find_due(conn, policy.batch).await? {
        let Some(session) = load_session(conn, session_id).await? else {
            continue;
        };
        if let Verdict::Expire { ending, .. } = judge(&session, now) {
            due.push((session_id, ending));
        }
    }
    Ok(due)
}
