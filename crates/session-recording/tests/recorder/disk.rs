//! A disk that hangs, fails and fills.

use std::path::{Path, PathBuf};
use std::process::Command;

use session_identity::ExamSessionId;
use session_recording::{Entry, Gap, GapReason, Recorder, SpoolFault, TapeError, verify};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{PATIENCE, entries, noise, output, place, session, settings, tape, until};

/// A file that hangs whoever writes to it, until somebody reads it; then it fails to sync.
fn hanging_file(spool: &Path, life: impl std::fmt::Display, session: ExamSessionId) -> PathBuf {
    let name = format!("{session}.0-0-1-0.spool");
    let path = spool.join(life.to_string()).join(name);
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_disk_that_hangs_refuses_in_time_and_what_it_lost_is_written_again(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let settings = settings(spool.path());
    let life = settings.writer;
    let recorder = Recorder::start(pool.clone(), settings).unwrap();
    let hanging = hanging_file(spool.path(), life, session);
    let tape = tape(&recorder, session, 1).await;
    tape.output(0, "kept".into()).await.unwrap();
    let mut faults = recorder.faults();
    // This test has one thread: that it comes back says that no thread of the runtime waits.
    let told = tokio::time::timeout(PATIENCE, faults.wait_for(Option::is_some));
    let told = told.await.unwrap().unwrap().clone();
    assert!(matches!(told, Some(SpoolFault::Silent { .. })), "{told:?}");
    let refused = tape.output(4, "lost".into()).await;
    assert!(matches!(refused, Err(TapeError::Spool(_))), "{refused:?}");
    assert_eq!(tape.recorded_to(), Some(place(0, 0)));

    let reader = tokio::task::spawn_blocking(move || drop(std::fs::File::open(hanging)));
    reader.await.unwrap();
    let well = tokio::time::timeout(PATIENCE, faults.wait_for(Option::is_none));
    well.await.unwrap().unwrap();
    tape.output(8, "on".into()).await.unwrap();
    assert_eq!(recorder.drain(PATIENCE * 3).await.spooled_bytes, 0);
    let entries = entries(&pool, session).await;
    let gap = Gap {
        bytes: 4,
        reason: GapReason::Unrecorded,
    };
    assert!(entries.contains(&Entry::Gap(gap)), "{entries:?}");
    assert_eq!(output(&entries), b"kepton");
    let mut conn = pool.acquire().await.unwrap();
    assert!(verify(&mut conn, session).await.unwrap().unwrap().is_intact);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_whose_disk_hangs_ends_all_the_same(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let settings = settings(spool.path());
    let life = settings.writer;
    let recorder = Recorder::start(pool.clone(), settings).unwrap();
    let hanging = hanging_file(spool.path(), life, session);
    let tape = tape(&recorder, session, 1).await;
    tape.output(0, "waits".into()).await.unwrap();
    let grace = std::time::Duration::from_secs(3);
    let drained = tokio::time::timeout(PATIENCE, recorder.drain(grace)).await;
    drained.expect("it does not wait for its disk");
    // Lets the thread go.
    let reader = tokio::task::spawn_blocking(move || drop(std::fs::File::open(hanging)));
    reader.await.unwrap();
}

/// Bytes of each file of a session.
fn lengths(spool: &Path) -> Vec<u64> {
    let lives = std::fs::read_dir(spool).unwrap();
    let files = lives.flat_map(|life| std::fs::read_dir(life.unwrap().path()).unwrap());
    let files = files.map(Result::unwrap);
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "spool"));
    files.map(|file| file.metadata().unwrap().len()).collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_shipped_of_a_long_session_leaves_the_disk_while_the_rest_waits(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let options = pool.connect_options().as_ref().clone();
    let cut_off = PgPoolOptions::new().connect_with(options).await.unwrap();
    let settings = settings(spool.path());
    let recorder = Recorder::start(cut_off.clone(), settings).unwrap();
    let tape = tape(&recorder, session, 1).await;
    let long = 9 * 1024 * 1024;
    let said = noise(0, long);
    let mut locked = pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE recording_segments IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *locked)
        .await
        .unwrap();
    tape.output(0, said.clone()).await.unwrap();
    tape.close().await.unwrap();
    let files = lengths(spool.path());
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|length| *length < 4_300_000), "{files:?}");
    locked.rollback().await.unwrap();
    until("the disk to be free", async || {
        recorder.health().spooled_bytes == 0
    })
    .await;
    assert_eq!(lengths(spool.path()), [0_u64; 0]);
    recorder.drain(PATIENCE).await;
    assert!(output(&entries(&pool, session).await) == said, "every byte");
}

/// Spool files that this process has open, deleted ones too.
fn open_files(spool: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let paths = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let spooled =
        |path: &PathBuf| path.starts_with(spool) && path.to_string_lossy().contains(".spool");
    paths.filter(spooled).count()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_that_is_over_and_shipped_leaves_no_file_open(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let mut tapes = Vec::new();
    for _ in 0..6 {
        let session = session(&pool).await;
        let tape = tape(&recorder, session, 1).await;
        tape.output(0, "said".into()).await.unwrap();
        tape.clone().close().await.unwrap();
        tapes.push((session, tape));
    }
    let sessions: Vec<_> = tapes.into_iter().map(|(session, _)| session).collect();
    until("all files to be closed", async || {
        open_files(spool.path()) == 0
    })
    .await;
    // Whoever comes back finds the count of segments where it was.
    let again = tape(&recorder, sessions[0], 1).await;
    again.output(4, " more".into()).await.unwrap();
    again.close().await.unwrap();
    recorder.drain(PATIENCE).await;
    assert_eq!(output(&entries(&pool, sessions[0]).await), b"said more");
}
