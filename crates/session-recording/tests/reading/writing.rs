//! Recordings with known moments.

use std::process::{Command, Output};

use serde_json::Value;
use session_identity::{ExamSessionId, TerminalProcessId};
use session_recording::{
    ExportFormat, Exported, Recorder, Segment, SegmentHeader, export, put_entry,
};
use sqlx::{ConnectOptions as _, PgPool};

use crate::support::{PATIENCE, noise, session, settings, tape};

/// Records `length` bytes of one shell.
pub(crate) async fn recorded(pool: &PgPool, length: usize) -> ExamSessionId {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(pool).await;
    let tape = tape(&recorder, session, 1).await;
    tape.output(0, noise(0, length)).await.unwrap();
    assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
    session
}

/// Puts a segment into a spool as a dead process would have left it, in the form of FORMATS.md.
pub(crate) fn leave_behind(
    spool: &std::path::Path,
    place: (ExamSessionId, u32, u64),
    entries: &[(i64, session_recording::Entry)],
) {
    let (session_id, shell_epoch, from_offset) = place;
    let writer = TerminalProcessId::generate();
    let (mut log, mut at, mut to_offset) = (Vec::new(), entries[0].0, from_offset);
    for (moment, entry) in entries {
        put_entry(&mut log, (moment - at).unsigned_abs(), entry);
        (at, to_offset) = (*moment, to_offset + entry.advance());
    }
    let header = SegmentHeader {
        session_id,
        shell_epoch,
        writer,
        writer_seq: 0,
        from_offset,
        to_offset,
        started_at_micros: entries[0].0,
        entries: entries.len().try_into().unwrap(),
        raw_length: log.len().try_into().unwrap(),
    };
    let segment = Segment::compress(header, &log).unwrap();
    let body = [&header.to_bytes()[..], &segment.raw_hash, &segment.payload].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let checksum = <sha2::Sha256 as sha2::Digest>::digest(&body);
    let record = [&length[..], &checksum[..8], &body].concat();
    let life = spool.join(writer.to_string());
    std::fs::create_dir(&life).unwrap();
    std::fs::write(life.join("lock"), "").unwrap();
    std::fs::write(life.join(format!("{session_id}.spool")), record).unwrap();
}

/// Ships everything that is in a spool.
pub(crate) async fn ship(pool: &PgPool, spool: &std::path::Path) {
    let recorder = Recorder::start(pool.clone(), settings(spool)).unwrap();
    assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
}

pub(crate) async fn exported(
    pool: &PgPool,
    session: ExamSessionId,
    format: ExportFormat,
) -> (Vec<u8>, Exported) {
    let mut conn = pool.acquire().await.unwrap();
    let mut bytes = Vec::new();
    let exported = export(&mut conn, session, format, &mut bytes).await;
    (bytes, exported.unwrap())
}

/// Runs the command line on the test's database.
pub(crate) fn run(pool: &PgPool, arguments: &[&str]) -> Output {
    let url = pool.connect_options().to_url_lossy().to_string();
    Command::new(env!("CARGO_BIN_EXE_session-recording"))
        .args(arguments)
        .env_clear()
        .env("CARREL_DATABASE_URL", url)
        .output()
        .unwrap()
}

/// The one document of a command that had something to say.
pub(crate) fn document(output: &Output) -> (Option<i32>, Value) {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one document: {output:?}");
    (output.status.code(), serde_json::from_str(text).unwrap())
}

/// The one error of a command that failed.
pub(crate) fn error(output: &Output) -> (Option<i32>, Value) {
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = std::str::from_utf8(&output.stderr).unwrap();
    (output.status.code(), serde_json::from_str(text).unwrap())
}
