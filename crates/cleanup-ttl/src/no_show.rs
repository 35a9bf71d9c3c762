//! Sessions that are ready and that nobody ever came to, of exams that wait only for so long.

use chrono::{DateTime, Utc};
use session_identity::ExamSessionId;
use session_lifecycle::{
    Advance, Ending, EndingKind, Expected, Provenance, TransitionError, advance,
};
use sqlx::PgConnection;

use crate::due::Expired;
use crate::error::SweepError;
use crate::policy::ExpiryPolicy;

/// Ends every session of one batch that its candidate has not come to for longer than its exam waits,
/// in the caller's transaction, which keeps their rows locked.
///
/// Who took a ticket came, also where no place was found for them. The caller enqueues the teardown of
/// each in the same transaction. An attach takes the session's row before its epoch: whichever commits
/// first, nobody who was admitted is a no-show.
///
/// # Errors
/// [`SweepError`]; the caller rolls back and nothing of the batch is written.
pub async fn end_no_shows(
    conn: &mut PgConnection,
    policy: &ExpiryPolicy,
    provenance: &Provenance,
) -> Result<Vec<Expired>, SweepError> {
    let mut ended = Vec::new();
    for session_id in find_no_shows(conn, policy.batch).await? {
        // Under the lock, and by a statement of its own: the one that found it may be older than an
        // attach.
        let Some(waited_until) = no_show_at(conn, session_id).await? else {
            continue;
        };
        let step = Advance::Terminate(Ending {
            kind: EndingKind::NoShow,
            note: Some(format!("nobody attached before {waited_until}")),
        });
        match advance(conn, session_id, Expected::AnyVersion, step, provenance).await {
            Ok(session) => ended.push(Expired {
                session,
                ending: EndingKind::NoShow,
            }),
            Err(TransitionError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ended)
}

/// Finds ready sessions that have been waited for long enough, the longest first, and locks them until
/// the caller's transaction ends, skipping rows that others hold.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn find_no_shows(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<ExamSessionId>, SweepError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT s.id AS "id: ExamSessionId"
        FROM exam_sessions AS s JOIN exams AS e ON (e.name, e.version) = (s.exam_name, s.exam_version)
        WHERE s.state = 'ready'
          AND s.ready_at + make_interval(secs => (e.definition ->> 'no_show_after_seconds')::float8) <= now()
          AND NOT EXISTS (SELECT FROM terminals AS t WHERE t.session_id = s.id AND t.epoch > 0)
          AND NOT EXISTS (SELECT FROM terminal_tickets AS k WHERE k.session_id = s.id AND k.user_id = s.user_id)
        ORDER BY s.ready_at
        LIMIT $1
        FOR UPDATE OF s SKIP LOCKED
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// When a session becomes a no-show; `None` where its exam waits for ever, before it is ready, and once
/// its candidate has taken a ticket or somebody has attached.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn no_show_at(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<DateTime<Utc>>, SweepError> {
    let at = sqlx::query_scalar!(
        r#"
        SELECT s.ready_at + make_interval(secs => (e.definition ->> 'no_show_after_seconds')::float8) AS at
        FROM exam_sessions AS s JOIN exams AS e ON (e.name, e.version) = (s.exam_name, s.exam_version)
        WHERE s.id = $1 AND s.state = 'ready'
          AND NOT EXISTS (SELECT FROM terminals AS t WHERE t.session_id = s.id AND t.epoch > 0)
          AND NOT EXISTS (SELECT FROM terminal_tickets AS k WHERE k.session_id = s.id AND k.user_id = s.user_id)
        "#,
        session_id as ExamSessionId,
    )
    .fetch_optional(conn)
    .await?;
    Ok(at.flatten())
}
