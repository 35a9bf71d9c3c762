//! What is said to a tape is what is on record.

use session_recording::{
    Entry, ExitStatus, FIRST_HASH, Gap, GapReason, Marker, OpenTapeError, Recorder,
    RecordingPolicy, SessionTape, Tape, TapeError, WindowSize,
};
use sqlx::PgPool;

use crate::support::{
    PATIENCE, SIZE, entries, noise, output, place, segments, session, settings, tape, wanted,
};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn everything_said_is_in_the_database_once_in_its_order(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(&pool).await;
    let tape = tape(&recorder, session, 1).await;
    let larger = WindowSize {
        cols: 132,
        rows: 50,
    };
    tape.mark(Marker::Attach).await.unwrap();
    tape.output(0, "a".into()).await.unwrap();
    // Asked for again after a lost leg: what is known is skipped, also within one piece.
    tape.output(0, "ab".into()).await.unwrap();
    tape.output(1, "b".into()).await.unwrap();
    tape.input("secret".into()).await.unwrap();
    tape.resize(larger).await.unwrap();
    tape.output(5, "f".into()).await.unwrap();
    tape.exit(ExitStatus::Signal(9)).await.unwrap();
    tape.clone().close().await.unwrap();
    assert_eq!(tape.recorded_to(), Some(place(1, 6)));
    let drained = recorder.drain(PATIENCE).await;
    assert_eq!(drained.spooled_bytes, 0);
    let gap = Gap {
        bytes: 3,
        reason: GapReason::Missed,
    };
    let expected = [
        Entry::Resize(SIZE),
        Entry::Marker(Marker::Attach),
        Entry::Output("a".into()),
        Entry::Output("b".into()),
        Entry::Resize(larger),
        Entry::Gap(gap),
        Entry::Output("f".into()),
        Entry::Exit(ExitStatus::Signal(9)),
    ];
    assert_eq!(entries(&pool, session).await, expected);
    drop((recorder, tape));
    let left = std::fs::read_dir(spool.path()).unwrap();
    assert_eq!(left.count(), 0, "its directory goes with it");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn segments_are_bounded_and_each_hash_is_made_of_the_one_before(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(&pool).await;
    let tape = tape(&recorder, session, 1).await;
    let said = noise(0, 300_000);
    tape.output(0, said.clone()).await.unwrap();
    recorder.drain(PATIENCE).await;
    let segments = segments(&pool, session).await;
    assert!(segments.len() >= 5, "{} segments", segments.len());
    let mut hash = FIRST_HASH;
    let mut offset = 0;
    for (seq, segment) in segments.iter().enumerate() {
        assert!(segment.header.raw_length <= 64 * 1024);
        assert_eq!(segment.header.writer_seq, seq as u64);
        assert_eq!(segment.header.from_offset, offset);
        offset = segment.header.to_offset;
        hash = segment.hash_after(&hash);
    }
    let head = sqlx::query!("SELECT * FROM session_recordings")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(head.last_hash, hash);
    assert_eq!((head.shell_epoch, head.recorded_to), (1, 300_000));
    assert_eq!(head.next_seq, i64::try_from(segments.len()).unwrap());
    assert_eq!(output(&entries(&pool, session).await), said);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn another_shell_begins_at_nothing_and_ends_the_tape_of_the_one_before(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(&pool).await;
    let first = tape(&recorder, session, 1).await;
    first.output(0, "one".into()).await.unwrap();
    let second = tape(&recorder, session, 2).await;
    let late = first.output(3, "late".into()).await;
    assert!(
        matches!(late, Err(TapeError::Superseded { .. })),
        "{late:?}"
    );
    second.output(0, "two".into()).await.unwrap();
    second.close().await.unwrap();
    assert_eq!(first.recorded_to(), Some(place(2, 3)));
    assert_eq!(
        recorder.recorded_to(session).await.unwrap(),
        Some(place(2, 3))
    );
    let older = recorder.tape(wanted(session, 1)).await;
    assert!(
        matches!(older, Err(OpenTapeError::Superseded { recorded: 2, .. })),
        "{older:?}"
    );
    recorder.drain(PATIENCE).await;
    let segments = segments(&pool, session).await;
    let places = segments.iter().map(|segment| {
        let header = segment.header;
        (header.shell_epoch, header.from_offset, header.to_offset)
    });
    // A slow machine may end a segment before there was any output.
    let places = places.filter(|(_, from, to)| from < to);
    assert_eq!(places.collect::<Vec<_>>(), [(1, 0, 3), (2, 0, 3)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_typed_is_kept_only_where_the_exam_asks_for_it(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(&pool).await;
    let asked = SessionTape {
        records_input: true,
        ..wanted(session, 1)
    };
    let tape = recorder.tape(asked).await.unwrap();
    tape.input("ls\n".into()).await.unwrap();
    recorder.drain(PATIENCE).await;
    let expected = [Entry::Resize(SIZE), Entry::Input("ls\n".into())];
    assert_eq!(entries(&pool, session).await, expected);
    let stopped = tape.mark(Marker::Detach).await;
    assert_eq!(stopped, Err(TapeError::Stopped));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_tape_that_is_off_keeps_nothing(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let session = session(&pool).await;
    let off = SessionTape {
        policy: RecordingPolicy::Off,
        ..wanted(session, 1)
    };
    let tape: Tape = recorder.tape(off).await.unwrap();
    assert!(!tape.is_recording());
    tape.output(7, "x".into()).await.unwrap();
    assert_eq!(tape.recorded_to(), None);
    tape.close().await.unwrap();
    recorder.drain(PATIENCE).await;
    let rows = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM session_recordings"#);
    assert_eq!(rows.fetch_one(&pool).await.unwrap(), 0);
}
