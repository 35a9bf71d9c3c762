//! What is on record, read from the segments themselves.

use std::path::Path;
use std::time::Duration;

use session_identity::{ExamSessionId, TerminalProcessId};
use session_recording::{Entries, Entry, Marker, Segment, SegmentHeader};
use sqlx::PgPool;
use terminal_gateway::RecordingSpool;

use crate::browser::PATIENCE;

pub(crate) const MIB: u64 = 1024 * 1024;

pub(crate) fn spool(folder: &Path, limit_bytes: u64) -> RecordingSpool {
    RecordingSpool {
        folder: folder.to_owned(),
        limit_bytes,
        signing_key: None,
    }
}

/// Bytes that differ from place to place and do not shrink.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    });
    next.take(length).collect()
}

/// Every entry on record, in the order of the chain.
pub(crate) async fn entries(pool: &PgPool, session: ExamSessionId) -> Vec<Entry> {
    let rows = sqlx::query!(
        "SELECT * FROM recording_segments WHERE session_id = $1 ORDER BY seq",
        session.as_uuid()
    );
    let mut entries = Vec::new();
    for row in rows.fetch_all(pool).await.unwrap() {
        let segment = Segment {
            header: SegmentHeader {
                session_id: session,
                shell_epoch: row.shell_epoch.try_into().unwrap(),
                writer: TerminalProcessId::from_uuid(row.writer),
                writer_seq: row.writer_seq.try_into().unwrap(),
                from_offset: row.from_offset.try_into().unwrap(),
                to_offset: row.to_offset.try_into().unwrap(),
                started_at_micros: row.started_at.timestamp_micros(),
                entries: row.entries.try_into().unwrap(),
                raw_length: row.raw_length.try_into().unwrap(),
            },
            raw_hash: row.raw_hash.try_into().unwrap(),
            payload: row.payload.into(),
        };
        let log = segment.log().unwrap();
        entries.extend(Entries::new(log).map(|timed| timed.unwrap().entry));
    }
    entries
}

pub(crate) fn output(entries: &[Entry]) -> Vec<u8> {
    let bytes = entries.iter().filter_map(|entry| match entry {
        Entry::Output(bytes) => Some(bytes.as_ref()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

pub(crate) fn markers(entries: &[Entry]) -> Vec<Marker> {
    let markers = entries.iter().filter_map(|entry| match entry {
        Entry::Marker(marker) => Some(*marker),
        _ => None,
    });
    markers.collect()
}

/// Waits until so many bytes of output are in the database.
pub(crate) async fn await_shipped(pool: &PgPool, bytes: u64) {
    let shipped = async {
        loop {
            let to = sqlx::query_scalar!("SELECT recorded_to FROM session_recordings")
                .fetch_optional(pool)
                .await
                .unwrap();
            if to.is_some_and(|to| to.unsigned_abs() >= bytes) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, shipped).await;
    waited.expect("the output is shipped in time");
}

/// Every entry on record, once `done` holds of them.
pub(crate) async fn await_entries(
    pool: &PgPool,
    session: ExamSessionId,
    done: impl Fn(&[Entry]) -> bool,
) -> Vec<Entry> {
    let recorded = async {
        loop {
            let entries = entries(pool, session).await;
            if done(&entries) {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, recorded).await;
    waited.expect("it is on record in time")
}
