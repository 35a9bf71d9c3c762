//! The one write path of a session's state.

use chrono::{DateTime, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use crate::error::TransitionError;
use crate::record::SessionRecord;
use crate::request::{Advance, Expected, Provenance};
use crate::state::SessionState;
use crate::store::session::{SessionRow, lock_session, session_rows};
use crate::transition::decide;

/// Advances a session: one compare-and-set on (id, state, version) that also appends the row of
/// `session_transitions`, in the caller's transaction. Returns the session after it.
///
/// The row is locked first, so writers queue and each decides upon what the one before it left.
/// The caller enqueues what follows in the same transaction.
///
/// # Errors
/// [`TransitionError`]; nothing was written and the caller's transaction stays usable, except
/// after a database error.
pub async fn advance(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    expected: Expected,
    advance: Advance,
    provenance: &Provenance,
) -> Result<SessionRecord, TransitionError> {
    let before = lock_session(conn, session_id)
        .await?
        .ok_or(TransitionError::NotFound { session_id })?;
    decide(&before, expected, advance.target())?;
    match compare_and_set(conn, &before, &advance, provenance).await? {
        Some(after) => {
            tracing::info!(
                session.id = %session_id, user.id = %after.user_id,
                from = %before.state, to = %after.state, cause = %provenance.cause,
                "session advanced",
            );
            Ok(after)
        }
        None => Err(explain_miss(conn, &before, advance.target()).await?),
    }
}

/// Writes the row and its history in one statement. `None` if the row moved since `before`, or if
/// the deadline for this transition has passed by the clock that the statement itself reads.
async fn compare_and_set(
    conn: &mut PgConnection,
    before: &SessionRecord,
    advance: &Advance,
    provenance: &Provenance,
) -> Result<Option<SessionRecord>, TransitionError> {
    let to = advance.target();
    let columns = FinalColumns::of(advance);
    let ending_actor = columns.ending_kind.map(|_| provenance.actor.to_string());
    let row = session_rows!(
        r#"
        -- clock_timestamp, not now(): a transaction that waited for the row lock must not stamp a
        -- moment before the one it waited for. Once, so that row and history agree.
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
            UPDATE exam_sessions AS t
            SET state = $4, version = t.version + 1,
                initializing_at = CASE WHEN $4 = 'initializing' THEN moment.at ELSE t.initializing_at END,
                ready_at = CASE WHEN $4 = 'ready' THEN moment.at ELSE t.ready_at END,
                running_at = CASE WHEN $4 = 'running' THEN moment.at ELSE t.running_at END,
                ended_at = CASE WHEN $4 IN ('terminated', 'failed') THEN moment.at END,
                ends_at = CASE WHEN $4 = 'running' AND t.duration IS NOT NULL
                               THEN LEAST(moment.at + t.duration, t.absolute_end)
                               ELSE t.ends_at END,
                ending_kind = $5, ending_actor = $6, ending_note = $7,
                failure_class = $8, failure_code = $9, failure_reason = $10, failure_evidence = $11
            FROM moment
            WHERE t.id = $1 AND t.state = $2 AND t.version = $3
              AND CASE $4::text WHEN 'ready' THEN moment.at < t.ready_by
                                WHEN 'running' THEN moment.at < LEAST(t.ends_at, t.absolute_end)
                                ELSE true END
            RETURNING t.*
        ), noted AS (
            INSERT INTO session_transitions (session_id, version, from_state, to_state, cause,
                                             actor, job_id, trace, at)
            SELECT moved.id, moved.version, $2, moved.state, $12, $13, $14, $15, moment.at
            FROM moved, moment
        )
        "#,
        "FROM moved AS s",
        before.id.as_uuid(),
        before.state.as_str(),
        before.version,
        to.as_str(),
        columns.ending_kind,
        ending_actor,
        columns.ending_note,
        columns.failure_class,
        columns.failure_code,
        columns.failure_reason,
        columns.failure_evidence,
        provenance.cause.as_str(),
        provenance.actor.to_string(),
        provenance.job_id.map(|id| id.as_uuid()),
        provenance.trace.as_deref(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(SessionRow::into_record).transpose()?)
}

/// The columns only a terminal transition fills.
#[derive(Default)]
struct FinalColumns<'a> {
    ending_kind: Option<&'static str>,
    ending_note: Option<&'a str>,
    failure_class: Option<&'a str>,
    failure_code: Option<&'a str>,
    failure_reason: Option<&'a str>,
    failure_evidence: Option<&'a serde_json::Value>,
}

impl<'a> FinalColumns<'a> {
    fn of(advance: &'a Advance) -> Self {
        match advance {
            Advance::Terminate(ending) => Self {
                ending_kind: Some(ending.kind.as_str()),
                ending_note: ending.note.as_deref(),
                ..Self::default()
            },
            Advance::Fail(failure) => Self {
                failure_class: Some(&failure.class),
                failure_code: Some(&failure.code),
                failure_reason: Some(&failure.reason),
                failure_evidence: Some(&failure.evidence),
                ..Self::default()
            },
            Advance::ToInitializing | Advance::ToReady | Advance::ToRunning => Self::default(),
        }
    }
}

/// Finds out why the compare-and-set wrote nothing. Another version means that the caller is not
/// in a transaction and lost the race; the same version leaves only the deadline.
async fn explain_miss(
    conn: &mut PgConnection,
    before: &SessionRecord,
    to: SessionState,
) -> Result<TransitionError, TransitionError> {
    let session_id = before.id;
    let now = lock_session(conn, session_id)
        .await?
        .ok_or(TransitionError::NotFound { session_id })?;
    if now.version != before.version {
        return Ok(TransitionError::Conflict {
            session_id,
            expected: before.version,
            actual: now.version,
        });
    }
    Ok(TransitionError::DeadlinePassed {
        session_id,
        to,
        deadline: deadline_of(&now, to),
    })
}

/// The deadline that the compare-and-set holds for `to`.
fn deadline_of(session: &SessionRecord, to: SessionState) -> DateTime<Utc> {
    match to {
        SessionState::Ready => session.ready_by,
        SessionState::Created
        | SessionState::Initializing
        | SessionState::Running
        | SessionState::Terminated
        | SessionState::Failed => session
            .ends_at
            .map_or(session.absolute_end, |end| end.min(session.absolute_end)),
    }
}
