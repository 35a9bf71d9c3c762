//! Exports, byte for byte.

use session_recording::{
    Entry, ExitStatus, ExportFormat, Gap, GapReason, Marker, WindowSize, verify,
};
use sqlx::PgPool;

use crate::support::{noise, session};
use crate::writing::{exported, leave_behind, recorded, ship};

const BEGIN: i64 = 1_790_000_000_000_000;
const SIZE: WindowSize = WindowSize { cols: 80, rows: 24 };

fn out(bytes: &'static [u8]) -> Entry {
    Entry::Output(bytes.into())
}

/// Two processes and two shells, a character cut in two, bytes that are no text, and a gap.
async fn story(pool: &PgPool) -> session_identity::ExamSessionId {
    let session = session(pool).await;
    let spool = tempfile::tempdir().unwrap();
    let gap = Gap {
        bytes: 5,
        reason: GapReason::Missed,
    };
    let first = [
        (0, Entry::Resize(SIZE)),
        (1_500, Entry::Marker(Marker::Attach)),
        (250_000, out(b"caf\xc3")),
        (300_000, out(b"\xa9 \"\x1b[1m\xff")),
        (1_300_000, Entry::Input("ls\n".into())),
    ];
    let heir = [
        (
            9_000_000,
            Entry::Resize(WindowSize {
                cols: 100,
                rows: 30,
            }),
        ),
        (9_100_000, out(b"\xff!\xe2\x82")),
        (9_200_000, Entry::Gap(gap)),
        (9_200_000, out(b"bye")),
        (9_500_000, Entry::Exit(ExitStatus::Signal(9))),
    ];
    let second = [
        (12_000_000, out(b"$ ")),
        (12_000_001, Entry::Exit(ExitStatus::Code(0))),
    ];
    for (place, entries) in [
        ((session, 2, 0), &second[..]),
        ((session, 1, 11), &heir[..]),
        ((session, 1, 0), &first[..]),
    ] {
        let entries: Vec<_> = entries
            .iter()
            .map(|(at, entry)| (BEGIN + at, entry.clone()))
            .collect();
        leave_behind(spool.path(), place, &entries);
    }
    ship(pool, spool.path()).await;
    session
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn version_3_tells_intervals_and_how_a_shell_ended(pool: PgPool) {
    let session = story(&pool).await;
    let (bytes, told) = exported(&pool, session, ExportFormat::AsciicastV3).await;
    let expected = r#"{"term":{"cols":80,"rows":24},"timestamp":1790000000,"version":3}
[0.001500, "m", "attach"]
[0.248500, "o", "caf"]
[0.050000, "o", "é \"\u001b[1m�"]
[1.000000, "i", "ls\n"]
[7.700000, "r", "100x30"]
[0.100000, "o", "!"]
[0.100000, "o", "�"]
[0.000000, "m", "gap: 5 bytes missed"]
[0.000000, "o", "bye"]
[0.300000, "x", "137"]
[2.500000, "m", "shell 2"]
[0.000000, "o", "$ "]
[0.000001, "x", "0"]
"#;
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    assert_eq!((told.output_bytes, told.gap_bytes), (20, 5));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn version_2_tells_times_and_marks_what_it_has_no_event_for(pool: PgPool) {
    let session = story(&pool).await;
    let (bytes, _) = exported(&pool, session, ExportFormat::AsciicastV2).await;
    let expected = r#"{"height":24,"timestamp":1790000000,"version":2,"width":80}
[0.001500, "m", "attach"]
[0.250000, "o", "caf"]
[0.300000, "o", "é \"\u001b[1m�"]
[1.300000, "i", "ls\n"]
[9.000000, "r", "100x30"]
[9.100000, "o", "!"]
[9.200000, "o", "�"]
[9.200000, "m", "gap: 5 bytes missed"]
[9.200000, "o", "bye"]
[9.500000, "m", "exit 137"]
[12.000000, "m", "shell 2"]
[12.000000, "o", "$ "]
[12.000001, "m", "exit 0"]
"#;
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn raw_is_every_byte_of_output_and_nothing_else(pool: PgPool) {
    let session = story(&pool).await;
    let (bytes, _) = exported(&pool, session, ExportFormat::Raw).await;
    assert_eq!(bytes, b"caf\xc3\xa9 \"\x1b[1m\xff!\xe2\x82bye$ ");
    let long = recorded(&pool, 400_000).await;
    let (bytes, told) = exported(&pool, long, ExportFormat::Raw).await;
    assert!(bytes == noise(0, 400_000), "every byte");
    assert_eq!((told.output_bytes, told.gap_bytes), (400_000, 0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_whole_recording_is_intact_and_its_gaps_are_told(pool: PgPool) {
    let session = story(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact, "{found:?}");
    let shells = found.shells.iter();
    let shells = shells.map(|shell| (shell.shell_epoch, shell.output_bytes, shell.gap_bytes));
    assert_eq!(shells.collect::<Vec<_>>(), [(1, 18, 5), (2, 2, 0)]);
    let gap = &found.gaps[0];
    assert_eq!((gap.place.offset, gap.bytes, gap.reason), (15, 5, "missed"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_segment_that_never_arrived_is_a_hole_and_not_intact(pool: PgPool) {
    let session = session(&pool).await;
    let spool = tempfile::tempdir().unwrap();
    leave_behind(spool.path(), (session, 1, 0), &[(BEGIN, out(b"ab"))]);
    leave_behind(spool.path(), (session, 1, 9), &[(BEGIN, out(b"jk"))]);
    ship(&pool, spool.path()).await;
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(!found.is_intact && found.broken.is_none(), "{found:?}");
    let gap = &found.gaps[0];
    assert_eq!((gap.place.offset, gap.bytes, gap.reason), (2, 7, "hole"));
}
