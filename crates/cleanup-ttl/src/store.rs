//! What the planning functions need to know of the rows. This crate owns no table and only reads.

use chrono::{DateTime, Utc};
use execution_environment::{EnvironmentState, RuntimeUid};
use session_identity::ExamSessionId;
use session_lifecycle::LoadError;
use sqlx::PgConnection;

use crate::error::SweepError;
use crate::plan::KnownSession;

/// Reads the only clock that decides.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn database_now(conn: &mut PgConnection) -> Result<DateTime<Utc>, SweepError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(conn)
        .await?)
}

/// Tells whether the database knows any session at all, ended ones included.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn any_session(conn: &mut PgConnection) -> Result<bool, SweepError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM exam_sessions) AS "any!""#)
            .fetch_one(conn)
            .await?,
    )
}

/// Tells whether any environment is on its way out, and will free its place: one whose destruction
/// has begun, or whose session has ended.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn is_teardown_pending(conn: &mut PgConnection) -> Result<bool, SweepError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM execution_environments AS v JOIN exam_sessions AS s ON s.id = v.session_id
            WHERE v.state NOT IN ('absent', 'gone')
              AND (v.state = 'destroying' OR s.state IN ('terminated', 'failed'))
        ) AS "pending!"
        "#
    )
    .fetch_one(conn)
    .await?)
}

/// Finds ended sessions whose environment is not confirmed gone, in no order: those whose teardown
/// hangs for long must not keep others from being found.
///
/// However many live sessions there are, none of them takes a place in the `limit`.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn find_unconfirmed_teardowns(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<ExamSessionId>, SweepError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT v.session_id AS "id!: ExamSessionId"
        FROM execution_environments AS v JOIN exam_sessions AS s ON s.id = v.session_id
        WHERE v.state NOT IN ('absent', 'gone') AND s.state IN ('terminated', 'failed')
        ORDER BY random()
        LIMIT $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// Half of the default startup budget: a worker that lives takes a session within a second.
const CLAIMED_WITHIN_SECONDS: f64 = 30.0;

/// Finds sessions within their startup budget that nobody has begun to prepare for half a minute, the
/// oldest first, and for how many seconds each has waited.
///
/// # Errors
/// [`SweepError`] if the database fails.
pub async fn find_unclaimed(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(ExamSessionId, i64)>, SweepError> {
    let rows = sqlx::query!(
        r#"
        SELECT id AS "id: ExamSessionId", EXTRACT(EPOCH FROM now() - created_at)::bigint AS "waits!"
        FROM exam_sessions
        -- Word for word what the partial index exam_sessions_startup holds, and its first column.
        WHERE state IN ('created', 'initializing') AND ready_by > now()
          AND state = 'created' AND created_at < now() - make_interval(secs => $1)
        ORDER BY created_at
        LIMIT $2
        "#,
        CLAIMED_WITHIN_SECONDS,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.waits)).collect())
}

/// Loads what is known of the `listed` sessions, and of every session whose environment should be
/// there although it may not be listed.
///
/// Call it *after* the runtime has been listed: a row precedes its environment, so an environment
/// without a row is never a creation in flight.
///
/// # Errors
/// [`SweepError`] if the database fails or a row contradicts the schema.
pub async fn load_known_sessions(
    conn: &mut PgConnection,
    listed: &[ExamSessionId],
) -> Result<Vec<KnownSession>, SweepError> {
    let ids: Vec<_> = listed.iter().map(ExamSessionId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"
        -- The second half is what the partial index execution_environments_not_gone holds.
        SELECT s.id AS "id!: ExamSessionId", s.state AS "state!",
               v.state AS "environment_state!: EnvironmentState", v.attempt AS "attempt!",
               v.runtime_uid AS "runtime_uid?: RuntimeUid"
        FROM exam_sessions AS s JOIN execution_environments AS v ON v.session_id = s.id
        WHERE s.id = ANY ($1)
        UNION
        SELECT s.id, s.state, v.state, v.attempt, v.runtime_uid
        FROM execution_environments AS v JOIN exam_sessions AS s ON s.id = v.session_id
        WHERE v.state NOT IN ('absent', 'gone') AND s.state NOT IN ('terminated', 'failed')
        "#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = row.state.parse().map_err(|_| LoadError::Inconsistent {
                table: "exam_sessions",
                column: "state",
                session_id: row.id,
                value: row.state.clone(),
            })?;
            Ok(KnownSession {
                session_id: row.id,
                state,
                environment_state: row.environment_state,
                attempt: row.attempt,
                runtime_uid: row.runtime_uid,
            })
        })
        .collect()
}
