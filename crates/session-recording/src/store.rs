//! The rows of recordings.

mod ship;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::place::Place;
use crate::policy::RecordingPolicy;

pub(crate) use ship::ship;

/// So long after its session a recording is closed: longer than a drain, in which the last is shipped.
const CLOSED_AFTER: Duration = Duration::from_mins(1);

/// What is known of a recording when a tape is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenedRecording {
    /// How far segments have come.
    pub(crate) recorded_to: Place,
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
           SET policy = excluded.policy, records_input = r.records_input OR excluded.records_input
           RETURNING shell_epoch, recorded_to, clock_timestamp() AS "now!""#,
        session_id.as_uuid(),
        policy.as_str(),
        records_input,
    )
    .fetch_one(conn)
    .await?;
    Ok(OpenedRecording {
        recorded_to: place(row.shell_epoch, row.recorded_to),
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
