//! What a recorder signs.

use std::path::Path;
use std::time::Duration;

use sqlx::{Executor as _, PgPool};

use super::{session, settings, shipped_to, until, wanted};
use crate::manifest::{SignatureStatus, SigningKey};
use crate::recorder::{Recorder, RecorderSettings, TIMING, Timing};

/// A recorder with a key that looks all the time for what is over.
fn signs(pool: &PgPool, spool: &Path) -> Recorder {
    let settings = RecorderSettings {
        signing_key: Some(SigningKey::generate()),
        ..settings(spool)
    };
    let timing = Timing {
        close_every: Duration::from_millis(10),
        ..TIMING
    };
    Recorder::start_timed(pool.clone(), settings, timing).unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_over_is_closed_and_signed(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let recorder = signs(&pool, spool.path());
    let tape = recorder.tape(wanted(session, 1)).await.unwrap();
    tape.output(0, "all".into()).await.unwrap();
    tape.close().await.unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET state = 'terminated', ending_kind = 'completed', version = 2,
             ended_at = now() - interval '2 minutes' WHERE id = $1",
        session.as_uuid(),
    )
    .execute(&pool)
    .await
    .unwrap();
    let signed = async || {
        let mut conn = pool.acquire().await.unwrap();
        let found = crate::verify(&mut conn, session).await.unwrap().unwrap();
        found.shells.len() == 1 && found.signature == SignatureStatus::UnknownKey
    };
    until("a manifest of all of it", signed).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_cannot_be_signed_is_counted_and_keeps_nothing_from_being_shipped(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let closed_and_not_signed = "BEGIN; SET LOCAL session_replication_role = replica;
         INSERT INTO session_recordings (session_id, closed_at, final_hash)
         VALUES (gen_random_uuid(), now() - interval '11 minutes', sha256('')); COMMIT;
         ALTER TABLE recording_manifests ADD CONSTRAINT takes_none CHECK (false)";
    pool.execute(closed_and_not_signed).await.unwrap();
    let recorder = signs(&pool, spool.path());
    let unsigned = || recorder.health().unsigned_recordings;
    until("word of what is not signed", async || unsigned() == 1).await;
    let tape = recorder.tape(wanted(session, 1)).await.unwrap();
    tape.output(0, "all".into()).await.unwrap();
    until("the output", async || shipped_to(&pool, session).await == 3).await;
    assert_eq!(recorder.health().not_shipped_for, None);
    let takes_it = "ALTER TABLE recording_manifests DROP CONSTRAINT takes_none";
    pool.execute(takes_it).await.unwrap();
    until("the signature", async || unsigned() == 0).await;
}
