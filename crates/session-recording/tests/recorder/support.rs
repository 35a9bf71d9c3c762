//! Sessions to record, and what was recorded of them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, TerminalProcessId};
use session_recording::{
    Entries, Entry, Place, Recorder, RecorderSettings, RecordingPolicy, Segment, SegmentHeader,
    SessionTape, Tape, WindowSize,
};
use sqlx::PgPool;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const SIZE: WindowSize = WindowSize { cols: 80, rows: 24 };

/// Requests a session.
pub(crate) async fn session(pool: &PgPool) -> ExamSessionId {
    let session = ExamSessionId::generate();
    sqlx::query!(
        "WITH exam AS (
             INSERT INTO exams (name, version, title, definition, digest, applied_by)
             VALUES ($3, 1, 'Demo', '{}', '\\x00', 'test') RETURNING name, version
         )
         INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         SELECT $1, 'u-1', $2, name, version, now() + interval '1 minute', now() + interval '1 hour'
         FROM exam",
        session.as_uuid(),
        ExecutionEnvironmentId::generate().as_uuid(),
        format!("exam-{}", session.as_uuid().simple()),
    )
    .execute(pool)
    .await
    .unwrap();
    session
}

pub(crate) fn settings(spool: &Path) -> RecorderSettings {
    RecorderSettings {
        writer: TerminalProcessId::generate(),
        spool_dir: spool.to_owned(),
        spool_limit_bytes: 64 * 1024 * 1024,
        queue_bytes: session_recording::PROCESS_QUEUE_BYTES,
        session_ceiling_bytes: session_recording::SESSION_CEILING_BYTES,
        signing_key: None,
    }
}

pub(crate) fn wanted(session_id: ExamSessionId, shell_epoch: u32) -> SessionTape {
    SessionTape {
        session_id,
        shell_epoch,
        policy: RecordingPolicy::FailClosed,
        records_input: false,
        size: SIZE,
    }
}

pub(crate) async fn tape(recorder: &Recorder, session: ExamSessionId, epoch: u32) -> Tape {
    recorder.tape(wanted(session, epoch)).await.unwrap()
}

pub(crate) const fn place(shell_epoch: u32, offset: u64) -> Place {
    Place {
        shell_epoch,
        offset,
    }
}

/// Every segment of a session in the order of its chain.
pub(crate) async fn segments(pool: &PgPool, session: ExamSessionId) -> Vec<Segment> {
    let rows = sqlx::query!(
        "SELECT * FROM recording_segments WHERE session_id = $1 ORDER BY seq",
        session.as_uuid()
    );
    let rows = rows.fetch_all(pool).await.unwrap();
    rows.into_iter()
        .map(|row| Segment {
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
        })
        .collect()
}

/// The entries of all segments, one after the other.
pub(crate) async fn entries(pool: &PgPool, session: ExamSessionId) -> Vec<Entry> {
    let mut entries = Vec::new();
    for segment in segments(pool, session).await {
        let log = segment.log().unwrap();
        entries.extend(Entries::new(log).map(|timed| timed.unwrap().entry));
    }
    entries
}

/// What the shell printed, as far as it is on record.
pub(crate) fn output(entries: &[Entry]) -> Vec<u8> {
    let output = entries.iter().filter_map(|entry| match entry {
        Entry::Output(bytes) => Some(bytes.to_vec()),
        _ => None,
    });
    output.collect::<Vec<_>>().concat()
}

/// Bytes that differ from place to place, so that none can stand for another, and do not shrink.
pub(crate) fn noise(from: u64, length: usize) -> Bytes {
    let byte = |offset: u64| {
        let mixed = (offset + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed.to_be_bytes()[0]
    };
    (from..from + length as u64).map(byte).collect()
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} never came"));
}
