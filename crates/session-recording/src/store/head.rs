//! The heads of chains.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::segment::Hash;

/// What the head of a chain says.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) session_id: ExamSessionId,
    pub(crate) next_seq: i64,
    pub(crate) last_hash: Hash,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    pub(crate) final_hash: Option<Hash>,
}

/// Narrows a list of recordings; an empty filter matches all.
#[derive(Clone, Debug, Default)]
pub struct RecordingFilter {
    /// Only this session's.
    pub session_id: Option<ExamSessionId>,
    /// Only of this exam.
    pub exam_name: Option<String>,
    /// Only sessions before this one: the last of the page before.
    pub before: Option<ExamSessionId>,
}

/// A recording, as a list tells it.
#[derive(Debug, Clone, Serialize)]
pub struct RecordingSummary {
    /// The session.
    pub session_id: ExamSessionId,
    /// Its candidate.
    pub user_id: String,
    /// Its exam.
    pub exam_name: String,
    /// What the exam wants; nothing where only a dead process's leftovers told of the recording.
    pub policy: Option<String>,
    /// Whether what was typed is kept.
    pub records_input: bool,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// How many segments there are.
    pub segments: i64,
    /// The newest shell on record; 0 before the first segment.
    pub shell_epoch: i64,
    /// Offset of its output up to which segments are here.
    pub recorded_to: i64,
    /// Bytes of entries.
    pub raw_bytes: i64,
    /// Bytes that they take.
    pub stored_bytes: i64,
    /// When it was closed, if it was.
    pub closed_at: Option<DateTime<Utc>>,
    /// The hash of its last segment, in hexadecimal digits.
    pub last_hash: Option<String>,
}

/// The head of a session's chain; nothing where there is no recording.
pub(crate) async fn load_head(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Head>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT next_seq, last_hash, closed_at, final_hash FROM session_recordings
         WHERE session_id = $1",
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Head {
        session_id,
        next_seq: row.next_seq,
        last_hash: row.last_hash.try_into().unwrap_or_default(),
        closed_at: row.closed_at,
        final_hash: row.final_hash.and_then(|hash| hash.try_into().ok()),
    }))
}

/// Lists recordings, newest session first, at most `limit`.
///
/// # Errors
/// Errors of the database.
pub async fn list_recordings(
    conn: &mut PgConnection,
    filter: &RecordingFilter,
    limit: i64,
) -> Result<Vec<RecordingSummary>, sqlx::Error> {
    sqlx::query_as!(
        RecordingSummary,
        r#"SELECT r.session_id AS "session_id: ExamSessionId", s.user_id, s.exam_name, r.policy,
                  r.records_input, r.started_at, r.next_seq AS segments, r.shell_epoch,
                  r.recorded_to, r.raw_bytes, r.stored_bytes, r.closed_at,
                  encode(r.last_hash, 'hex') AS last_hash
           FROM session_recordings r JOIN exam_sessions s ON s.id = r.session_id
           WHERE ($1::uuid IS NULL OR r.session_id = $1)
             AND ($2::text IS NULL OR s.exam_name = $2)
             AND ($3::uuid IS NULL OR r.session_id < $3)
           ORDER BY r.session_id DESC LIMIT $4"#,
        filter.session_id.map(|id| id.as_uuid()),
        filter.exam_name.as_deref(),
        filter.before.map(|id| id.as_uuid()),
        limit,
    )
    .fetch_all(conn)
    .await
}
