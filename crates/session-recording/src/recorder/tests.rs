//! What needs a hand inside the recorder.

mod signing;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, TerminalProcessId};
use sqlx::PgPool;

use super::reel::Event;
use super::track::{Track, locked};
use super::{
    PROCESS_QUEUE_BYTES, Recorder, RecorderSettings, SESSION_CEILING_BYTES, SESSION_QUEUE_BYTES,
    SessionTape, TIMING, Tape, TapeError, Timing,
};
use crate::entry::{Entry, ExitStatus, GapReason, WindowSize};
use crate::place::Place;
use crate::policy::RecordingPolicy;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Requests a session.
async fn session(pool: &PgPool) -> ExamSessionId {
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

fn settings(spool: &Path) -> RecorderSettings {
    RecorderSettings {
        writer: TerminalProcessId::generate(),
        spool_dir: spool.to_owned(),
        spool_limit_bytes: 64 * 1024 * 1024,
        queue_bytes: PROCESS_QUEUE_BYTES,
        session_ceiling_bytes: SESSION_CEILING_BYTES,
        signing_key: None,
    }
}

const fn wanted(session_id: ExamSessionId, shell_epoch: u32) -> SessionTape {
    SessionTape {
        session_id,
        shell_epoch,
        policy: RecordingPolicy::FailClosed,
        records_input: true,
        size: WindowSize { cols: 80, rows: 24 },
    }
}

/// Waits until something holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} never came"));
}

/// How far a session's recording is in the database.
async fn shipped_to(pool: &PgPool, session: ExamSessionId) -> u64 {
    let mut conn = pool.acquire().await.unwrap();
    let place = crate::store::load_recorded_to(&mut conn, session).await;
    place.unwrap().unwrap_or_default().offset
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_recording_that_is_locked_is_told_of_and_keeps_no_other_back(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let (stuck, other) = (session(&pool).await, session(&pool).await);
    let timing = Timing {
        patience: Duration::from_millis(500),
        ..TIMING
    };
    let recorder = Recorder::start_timed(pool.clone(), settings(spool.path()), timing).unwrap();
    let tapes = [
        recorder.tape(wanted(stuck, 1)).await.unwrap(),
        recorder.tape(wanted(other, 1)).await.unwrap(),
    ];
    let mut holder = pool.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SELECT FROM session_recordings WHERE session_id = '{stuck}' FOR UPDATE"
    )))
    .execute(&mut *holder)
    .await
    .unwrap();
    tapes[0].output(0, "stuck".into()).await.unwrap();
    until("word that the database does not answer", async || {
        recorder.health().not_shipped_for.is_some()
    })
    .await;
    tapes[1].output(0, "other".into()).await.unwrap();
    until("the other session's", async || {
        shipped_to(&pool, other).await == 5
    })
    .await;
    assert_eq!(shipped_to(&pool, stuck).await, 0);
    holder.rollback().await.unwrap();
    until("the session's that was stuck", async || {
        shipped_to(&pool, stuck).await == 5
    })
    .await;
    until("word that all is well", async || {
        recorder.health().not_shipped_for.is_none()
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_an_old_shell_says_late_is_no_part_of_the_new_ones_record(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let old = recorder.tape(wanted(session, 1)).await.unwrap();
    let queue = Arc::clone(&recorder.shared.queue);
    let room = queue.acquire_many(PROCESS_QUEUE_BYTES).await.unwrap();
    let waiting = old.output(0, "long output of the old".into());
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let new = recorder.tape(wanted(session, 2)).await.unwrap();
    drop(room);
    let late = waiting.await;
    assert!(
        matches!(late, Err(TapeError::Superseded { shell_epoch: 1, .. })),
        "{late:?}"
    );
    // What was handed over before its tape could know.
    let track = recorder.shared.track(session);
    let deck = locked(&track.deck).upgrade().unwrap();
    let place = Place {
        shell_epoch: 1,
        offset: 90,
    };
    for event in [
        Event::Output(place, "late".into(), GapReason::Missed),
        Event::Input(1, "late".into()),
        Event::Entry(1, Entry::Exit(ExitStatus::Code(1))),
    ] {
        deck.send(event, None).unwrap();
    }
    drop(deck);
    new.output(0, "new".into()).await.unwrap();
    new.close().await.unwrap();
    recorder.drain(PATIENCE).await;
    let mut conn = pool.acquire().await.unwrap();
    let mut raw = Vec::new();
    let told = crate::export(&mut conn, session, crate::ExportFormat::Raw, &mut raw).await;
    let told = told.unwrap();
    assert_eq!((&raw[..], told.gap_bytes), (&b"new"[..], 0));
}

/// Holds a session's spool files, as a disk that takes its time does, until the sender is dropped.
fn hold(track: &Track) -> Sender<()> {
    let writer = Arc::clone(&track.writer);
    let (holds, held) = channel();
    let (let_go, end) = channel();
    std::thread::spawn(move || {
        let _held = locked(&writer);
        holds.send(()).unwrap();
        end.recv().ok();
    });
    held.recv().unwrap();
    let_go
}

/// Says all of it until it is taken: on a machine that stands still the disk seems to hang.
async fn say(recorder: &Recorder, tape: &Tape, all: &Bytes) {
    while let Err(error) = tape.output(0, all.clone()).await {
        assert!(matches!(error, TapeError::Spool(_)), "{error:?}");
        let mut faults = recorder.faults();
        faults.wait_for(Option::is_none).await.unwrap();
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn while_the_disk_takes_its_time_no_more_waits_than_may_and_nothing_is_lost(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let tape = recorder.tape(wanted(session, 1)).await.unwrap();
    let let_go = hold(&recorder.shared.track(session));
    let byte = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    let all: Bytes = (0..u64::from(SESSION_QUEUE_BYTES) * 3).map(byte).collect();
    let queue = &recorder.shared.queue;
    let least_free = (PROCESS_QUEUE_BYTES - SESSION_QUEUE_BYTES) as usize;
    let watch = async {
        until("all that may wait", async || {
            queue.available_permits() == least_free
        })
        .await;
        assert_eq!(tape.written_to().unwrap().borrow().offset, 0);
        drop(let_go);
    };
    tokio::join!(say(&recorder, &tape, &all), watch);
    tape.close().await.unwrap();
    recorder.drain(PATIENCE).await;
    let mut conn = pool.acquire().await.unwrap();
    let found = crate::verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact && found.gaps.is_empty(), "{found:?}");
    let mut raw = Vec::new();
    let told = crate::export(&mut conn, session, crate::ExportFormat::Raw, &mut raw).await;
    assert_eq!(told.unwrap().gap_bytes, 0);
    assert!(raw == all, "every byte once and in order");
}
