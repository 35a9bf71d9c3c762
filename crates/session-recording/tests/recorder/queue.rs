//! What waits is bounded, and what finds no room waits or is told so.

use session_recording::{
    Entry, Gap, GapReason, Marker, OpenTapeError, Recorder, RecorderSettings, RecordingPolicy,
    SESSION_QUEUE_BYTES, SessionTape, SpoolFault, SpoolState, TapeError,
};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{PATIENCE, entries, noise, output, session, settings, tape, until, wanted};

/// A recorder whose database is away until the end of the test.
async fn cut_off(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone();
    PgPoolOptions::new().connect_with(options).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_full_spool_refuses_and_goes_on_with_a_gap_where_it_was_full(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let small = RecorderSettings {
        spool_limit_bytes: 200_000,
        ..settings(spool.path())
    };
    let recorders_pool = cut_off(&pool).await;
    let recorder = Recorder::start(recorders_pool.clone(), small.clone()).unwrap();
    let tape = tape(&recorder, session, 1).await;
    recorders_pool.close().await;
    let mut said = 0;
    let refused = loop {
        match tape.output(said, noise(said, 8_000)).await {
            Ok(()) => said += 8_000,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, TapeError::Spool(SpoolFault::Full { .. })),
        "{refused:?}"
    );
    // Beside what waits, one segment fills while another is on its way.
    assert!(said <= 200_000 + u64::from(SESSION_QUEUE_BYTES) + 2 * 64 * 1024);
    let health = recorder.health();
    assert_eq!(health.state(), SpoolState::Refusing);
    assert!(health.spooled_bytes <= 200_000);
    let denied = recorder.tape(wanted(session, 1)).await;
    assert!(matches!(denied, Err(OpenTapeError::Spool(_))), "{denied:?}");
    until("word that nothing is shipped", async || {
        recorder.health().not_shipped_for.is_some()
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn output_refused_by_an_unwritable_spool_is_a_gap_once_it_is_mended(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let settings = settings(spool.path());
    let life = spool.path().join(settings.writer.to_string());
    let recorder = Recorder::start(pool.clone(), settings).unwrap();
    // A file cannot be made where its directory is gone.
    let aside = spool.path().join("aside");
    std::fs::rename(&life, &aside).unwrap();
    let tape = tape(&recorder, session, 1).await;
    tape.output(0, "kept".into()).await.unwrap();
    let mut faults = recorder.faults();
    let told = tokio::time::timeout(PATIENCE, faults.wait_for(Option::is_some));
    assert!(matches!(
        *told.await.unwrap().unwrap(),
        Some(SpoolFault::Unwritable { .. })
    ));
    let refused = tape.output(4, "lost".into()).await;
    assert!(matches!(refused, Err(TapeError::Spool(_))), "{refused:?}");
    std::fs::rename(&aside, &life).unwrap();
    let well = tokio::time::timeout(PATIENCE, faults.wait_for(Option::is_none));
    well.await.unwrap().unwrap();
    tape.output(8, "on".into()).await.unwrap();
    recorder.drain(PATIENCE).await;
    let entries = entries(&pool, session).await;
    let gap = Gap {
        bytes: 4,
        reason: GapReason::Unrecorded,
    };
    assert!(entries.contains(&Entry::Gap(gap)), "{entries:?}");
    assert_eq!(output(&entries), b"kepton");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_nearly_full_spool_takes_no_new_exam_that_must_be_recorded(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let (first, second) = (session(&pool).await, session(&pool).await);
    let small = RecorderSettings {
        spool_limit_bytes: 100_000,
        ..settings(spool.path())
    };
    let away = cut_off(&pool).await;
    let filling = Recorder::start(away.clone(), small.clone()).unwrap();
    let tape = tape(&filling, first, 1).await;
    away.close().await;
    tape.output(0, noise(0, 95_000)).await.unwrap();
    tape.close().await.unwrap();
    let health = filling.health();
    assert_eq!(health.state(), SpoolState::NearlyFull, "{health:?}");
    let denied = filling.tape(wanted(second, 1)).await;
    assert!(
        matches!(denied, Err(OpenTapeError::NearlyFull { .. })),
        "{denied:?}"
    );
    // Who may go on unrecorded is asked of the database, which is away here.
    let open = SessionTape {
        policy: RecordingPolicy::FailOpen,
        ..wanted(second, 1)
    };
    let admitted = filling.tape(open).await;
    assert!(
        matches!(admitted, Err(OpenTapeError::Database { .. })),
        "{admitted:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_that_prints_for_ever_is_kept_up_to_its_ceiling_and_the_rest_is_told(
    pool: PgPool,
) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let low = RecorderSettings {
        session_ceiling_bytes: 100_000,
        ..settings(spool.path())
    };
    let recorder = Recorder::start(pool.clone(), low).unwrap();
    let open = SessionTape {
        policy: RecordingPolicy::FailOpen,
        ..wanted(session, 1)
    };
    let tape = recorder.tape(open).await.unwrap();
    for from in [0, 60_000] {
        assert!(!*tape.is_full().unwrap().borrow());
        tape.output(from, noise(from, 60_000)).await.unwrap();
        // Said again after a lost leg, it counts once.
        tape.output(from, noise(from, 60_000)).await.unwrap();
        tape.clone().close().await.unwrap();
    }
    for from in [120_000, 150_000] {
        let refused = tape.output(from, noise(from, 30_000)).await;
        assert!(
            matches!(refused, Err(TapeError::Full { .. })),
            "{refused:?}"
        );
    }
    assert!(*tape.is_full().unwrap().borrow());
    assert_eq!(recorder.health().full_sessions, 1);
    drop(tape);
    recorder.drain(PATIENCE).await;
    let entries = entries(&pool, session).await;
    let gap = Gap {
        bytes: 60_000,
        reason: GapReason::Unrecorded,
    };
    let told = [Entry::Marker(Marker::Full), Entry::Gap(gap)];
    assert!(entries.ends_with(&told), "{:?}", entries.last());
    assert!(output(&entries) == noise(0, 120_000));
}
