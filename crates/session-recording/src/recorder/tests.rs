//! What needs a hand inside the recorder.

use std::path::Path;
use std::time::Duration;

use session_identity::{ExamSessionId, ExecutionEnvironmentId, TerminalProcessId};
use sqlx::PgPool;

use super::reel::Event;
use super::track::locked;
use super::{
    PROCESS_QUEUE_BYTES, Recorder, RecorderSettings, SESSION_CEILING_BYTES, SessionTape, TapeError,
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
    let patience = Duration::from_millis(500);
    let recorder = Recorder::start_patient(pool.clone(), settings(spool.path()), patience).unwrap();
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
    let queue = std::sync::Arc::clone(&recorder.shared.queue);
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
