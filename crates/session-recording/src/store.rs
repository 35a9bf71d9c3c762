//! The rows of recordings.

mod head;
mod manifests;
mod old;
mod read;
mod ship;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::place::Place;
use crate::policy::RecordingPolicy;

pub(crate) use head::{Head, load_head};
pub use head::{RecordingFilter, RecordingSummary, list_recordings};
pub use manifests::sign_closed_recordings;
pub(crate) use manifests::{count_unsigned, load_manifests, sign_waiting};
pub use old::{count_old_recordings, delete_old_recordings};
pub(crate) use read::{StoredSegment, load_chain, load_next_segment, load_writers};
pub(crate) use ship::ship;

/// So long after its session a recording is closed: longer than a drain, in which the last is shipped.
const CLOSED_AFTER: Duration = Duration::from_mins(1);

/// What is known of a recording when a tape is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenedRecording {
    /// How far segments have come.
    pub(crate) recorded_to: Place,
    /// Bytes of entries in them.
    pub(crate) raw_bytes: u64,
    /// The time.
    pub(crate) now: DateTime<Utc>,
    /// When that was, by the process's own clock.
    pub(crate) read_at: Instant,
}

/// Makes a session's recording if it has none.
pub(crate) async fn open_recording(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    policy: RecordingPolicy,
    records_input: bool,
) -> Result<OpenedRecording, sqlx::Error> {
    // Leftovers of a dead process may have made the row without knowing the policy.
    let row = sqlx::query!(
        r#"INSERT INTO session_recordings AS r (session_id, policy, records_input) VALUES ($1, $2, $3)
           ON CONFLICT (session_id) DO UPDATE
           SET policy = coalesce(r.policy, excluded.policy),
               records_input = CASE WHEN r.policy IS NULL THEN excluded.records_input ELSE r.records_input END
           RETURNING shell_epoch, recorded_to, raw_bytes, clock_timestamp() AS "now!""#,
        session_id.as_uuid(),
        policy.as_str(),
        records_input,
    )
    .fetch_one(conn)
    .await?;
    Ok(OpenedRecording {
        recorded_to: place(row.shell_epoch, row.recorded_to),
        raw_bytes: row.raw_bytes.unsigned_abs(),
        now: row.now,
        read_at: Instant::now(),
    })
}

/// How far a session's recording is in the database; nothing where there is none.
pub(crate) async fn load_recorded_to(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Place>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT shell_epoch, recorded_to FROM session_recordings WHERE session_id = $1",
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| place(row.shell_epoch, row.recorded_to)))
}

/// Rows hold what was a [`Place`] before: both numbers fit.
fn place(shell_epoch: i64, offset: i64) -> Place {
    Place {
        shell_epoch: u32::try_from(shell_epoch).unwrap_or(u32::MAX),
        offset: offset.unsigned_abs(),
    }
}

/// Closes the recordings of sessions that have been over for a while: who recorded them has shipped
/// what there was, unless it died. Returns how many.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn close_ended(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    // SKIP LOCKED: every terminal process does this, and somebody may be shipping.
    let closed = sqlx::query!(
        "UPDATE session_recordings SET closed_at = clock_timestamp(), final_hash = last_hash
         WHERE session_id IN (
             SELECT r.session_id FROM session_recordings r JOIN exam_sessions s ON s.id = r.session_id
             WHERE r.closed_at IS NULL AND s.ended_at < now() - make_interval(secs => $1)
             ORDER BY r.session_id LIMIT 1000 FOR UPDATE OF r SKIP LOCKED
         )",
        CLOSED_AFTER.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(closed.rows_affected())
}

#[cfg(test)]
mod tests {
    use session_identity::ExecutionEnvironmentId;
    use sqlx::PgPool;

    use super::*;

    /// A session that ended so many seconds ago.
    async fn ended(conn: &mut PgConnection, seconds: f64) -> ExamSessionId {
        let session = ExamSessionId::generate();
        sqlx::query!(
            "WITH exam AS (
                 INSERT INTO exams (name, version, title, definition, digest, applied_by)
                 VALUES ($3, 1, 'Demo', '{}', '\\x00', 'test') RETURNING name, version
             )
             INSERT INTO exam_sessions
                 (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
             SELECT $1, 'u-1', $2, name, version, now(), now() FROM exam",
            session.as_uuid(),
            ExecutionEnvironmentId::generate().as_uuid(),
            format!("exam-{}", session.as_uuid().simple()),
        )
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query!(
            "UPDATE exam_sessions
             SET state = 'terminated', ending_kind = 'completed', version = 2,
                 ended_at = now() - make_interval(secs => $2)
             WHERE id = $1",
            session.as_uuid(),
            seconds,
        )
        .execute(&mut *conn)
        .await
        .unwrap();
        let policy = RecordingPolicy::FailOpen;
        open_recording(conn, session, policy, false).await.unwrap();
        session
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn a_recording_is_closed_once_and_a_while_after_its_session(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let over = ended(&mut conn, 61.0).await;
        let drained = ended(&mut conn, 30.0).await;
        assert_eq!(close_ended(&mut conn).await.unwrap(), 1);
        assert_eq!(close_ended(&mut conn).await.unwrap(), 0);
        let closed = load_head(&mut conn, over).await.unwrap().unwrap();
        assert_eq!(closed.final_hash, Some(closed.last_hash));
        let open = load_head(&mut conn, drained).await.unwrap().unwrap();
        assert_eq!((open.closed_at, open.final_hash), (None, None));
    }
}
