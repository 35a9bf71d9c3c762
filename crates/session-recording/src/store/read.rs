//! Segments as they are stored.

use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::segment::{Hash, Segment, SegmentHeader};

/// A segment and its place in the chain.
#[derive(Debug)]
pub(crate) struct StoredSegment {
    pub(crate) seq: i64,
    pub(crate) hash: Hash,
    pub(crate) segment: Segment,
}

struct Row {
    seq: i64,
    writer: Uuid,
    writer_seq: i64,
    shell_epoch: i64,
    from_offset: i64,
    to_offset: i64,
    started_at: chrono::DateTime<chrono::Utc>,
    entries: i32,
    raw_length: i32,
    raw_hash: Vec<u8>,
    hash: Vec<u8>,
    payload: Vec<u8>,
}

impl Row {
    /// What does not fit cannot have been recorded: it becomes a value whose hash is another.
    fn into_segment(self, session_id: ExamSessionId) -> StoredSegment {
        let header = SegmentHeader {
            session_id,
            shell_epoch: u32::try_from(self.shell_epoch).unwrap_or(u32::MAX),
            writer: TerminalProcessId::from_uuid(self.writer),
            writer_seq: u64::try_from(self.writer_seq).unwrap_or(u64::MAX),
            from_offset: u64::try_from(self.from_offset).unwrap_or(u64::MAX),
            to_offset: u64::try_from(self.to_offset).unwrap_or(u64::MAX),
            started_at_micros: self.started_at.timestamp_micros(),
            entries: u32::try_from(self.entries).unwrap_or(u32::MAX),
            raw_length: u32::try_from(self.raw_length).unwrap_or(u32::MAX),
        };
        StoredSegment {
            seq: self.seq,
            hash: self.hash.try_into().unwrap_or_default(),
            segment: Segment {
                header,
                raw_hash: self.raw_hash.try_into().unwrap_or_default(),
                payload: self.payload.into(),
            },
        }
    }
}

/// Who recorded a session.
pub(crate) async fn load_writers(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT DISTINCT writer FROM recording_segments WHERE session_id = $1 ORDER BY writer",
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await
}

/// The segment of a writer that follows one of its numbers; nothing after the last.
pub(crate) async fn load_next_segment(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    writer: TerminalProcessId,
    after: Option<u64>,
) -> Result<Option<Segment>, sqlx::Error> {
    let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let row = sqlx::query_as!(
        Row,
        "SELECT seq, writer, writer_seq, shell_epoch, from_offset, to_offset, started_at, entries,
                raw_length, raw_hash, hash, payload
         FROM recording_segments WHERE session_id = $1 AND writer = $2 AND writer_seq > $3
         ORDER BY writer_seq LIMIT 1",
        session_id.as_uuid(),
        writer.as_uuid(),
        after,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| row.into_segment(session_id).segment))
}

/// Segments in the order of the chain, from a place in it on, some of them.
pub(crate) async fn load_chain(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    from_seq: i64,
) -> Result<Vec<StoredSegment>, sqlx::Error> {
    // At most 64 of 64 KiB: what is read at once stays small.
    let rows = sqlx::query_as!(
        Row,
        "SELECT seq, writer, writer_seq, shell_epoch, from_offset, to_offset, started_at, entries,
                raw_length, raw_hash, hash, payload
         FROM recording_segments WHERE session_id = $1 AND seq >= $2 ORDER BY seq LIMIT 64",
        session_id.as_uuid(),
        from_seq,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| row.into_segment(session_id))
        .collect())
}
