//! Manifests in the database and in files: which there are, and which decide.

use std::path::Path;

use serde_json::json;
use session_identity::ExamSessionId;
use session_recording::delete_old_recordings;
use sqlx::{Executor as _, PgConnection, PgPool};

use crate::keys::key;
use crate::signatures::{
    arrive_late, close, refusal, sign, signature, signature_by, text, verified,
};
use crate::tampering::tamper;
use crate::writing::{document, error, recorded, run};

/// Of how many segments the one recording is.
async fn head(pool: &PgPool) -> i64 {
    let next = sqlx::query_scalar!("SELECT next_seq FROM session_recordings");
    next.fetch_one(pool).await.unwrap()
}

/// Exports the newest manifest to a file.
fn manifest(pool: &PgPool, session: ExamSessionId, folder: &Path, name: &str) -> String {
    let path = |end: &str| {
        folder
            .join(format!("{name}.{end}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (to, manifest) = (path("cast"), path("manifest"));
    let id = session.to_string();
    let export = [
        "export",
        "--session-id",
        &id,
        "--to",
        &to,
        "--manifest",
        &manifest,
    ];
    let done = run(pool, &export);
    assert!(done.status.success(), "{done:?}");
    manifest
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_manifest_kept_elsewhere_tells_of_what_was_taken_away_with_its_manifest(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 1_000).await;
    close(&pool).await;
    sign(&pool, &signing).await;
    let closed_with = head(&pool).await;
    let first = manifest(&pool, session, folder.path(), "first");
    arrive_late(&pool, session, 1_000).await;
    sign(&pool, &signing).await;
    let second = manifest(&pool, session, folder.path(), "second");
    let text = text(&pool, session, &[]);
    assert!(
        text.contains("\n  1 segments came after it was closed\n"),
        "{text}"
    );
    let valid = (Some(0), "valid".to_owned());
    let kept = [&first[..], &second].map(|file| ["--manifest", file]);
    let all = [&["--public-key", &public][..], kept.as_flattened()].concat();
    assert_eq!(signature_by(&pool, session, &all), valid);
    let taken = format!(
        "DELETE FROM recording_segments WHERE seq >= {closed_with};
         DELETE FROM recording_manifests WHERE segments > {closed_with};
         UPDATE session_recordings SET next_seq = {closed_with}, last_hash = final_hash,
             signed_segments = {closed_with}"
    );
    tamper(&pool, &taken).await;
    let before = &all[..4];
    assert_eq!(
        signature_by(&pool, session, before),
        valid,
        "the database alone cannot tell"
    );
    let invalid = (Some(9), "invalid".to_owned());
    assert_eq!(signature_by(&pool, session, &all), invalid);
    assert_eq!(
        signature_by(&pool, session, &all[2..]),
        invalid,
        "whoever signed it"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_manifest_of_another_recording_or_of_none_is_refused_by_its_name(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let (session, other) = (recorded(&pool, 10).await, recorded(&pool, 20).await);
    close(&pool).await;
    sign(&pool, &signing).await;
    let of_other = manifest(&pool, other, folder.path(), "other");
    let gone = folder.path().join("gone").to_str().unwrap().to_owned();
    let id = session.to_string();
    for (file, why) in [
        (of_other, "speaks of session"),
        (public, "first line"),
        (gone, "No such"),
    ] {
        let verify = ["verify", "--session-id", &id, "--manifest", &file];
        let (code, refused) = error(&run(&pool, &verify));
        assert_eq!((code, &refused["field"]), (Some(2), &json!("manifest")));
        assert!(
            refused["message"].as_str().unwrap().contains(why),
            "{refused}"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_row_that_was_put_beside_keeps_no_recording_from_being_proven(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 10).await;
    close(&pool).await;
    let unsigned = "UPDATE session_recordings SET signed_segments = next_seq";
    assert_eq!(refusal(&pool, unsigned).await, "23001");
    let stray = "INSERT INTO recording_manifests
             (session_id, segments, last_hash, closed_at, signed_at, key_id, signature)
         SELECT session_id, next_seq, sha256('x'), now(), now() + interval '1 hour', sha256('y'), sha512('z')
         FROM session_recordings";
    pool.execute(stray).await.unwrap();
    assert_eq!(sign(&pool, &signing).await, 1);
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), valid);
    let text = text(&pool, session, &["--public-key", &public]);
    assert!(text.contains("  signature valid: "), "{text}");
    assert!(
        text.contains(&format!("with key {}", signing.id())),
        "{text}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_recording_is_signed_again_with_another_key_when_its_note_is_taken_away(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (known, _) = key(folder.path(), "known to others");
    let (new, new_public) = key(folder.path(), "new");
    let session = recorded(&pool, 10).await;
    close(&pool).await;
    assert_eq!(sign(&pool, &known).await, 1);
    let again = "UPDATE session_recordings SET signed_segments = NULL";
    pool.execute(again).await.unwrap();
    assert_eq!(sign(&pool, &new).await, 1);
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(signature(&pool, session, &[&new_public]), valid);
}

/// How many heads this connection has moved in place, which it forgets between transactions only.
async fn moved_in_place(conn: &mut PgConnection) -> i64 {
    let moved = sqlx::query_scalar!(
        r#"SELECT pg_stat_get_xact_tuples_hot_updated('session_recordings'::regclass) AS "n!""#
    );
    moved.fetch_one(conn).await.unwrap()
}

/// Shipments are many; no index is by what they move, nor asks for it.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_running_recordings_head_moves_in_place(pool: PgPool) {
    recorded(&pool, 10).await;
    let mut conn = pool.acquire().await.unwrap();
    let begin = "BEGIN; SET LOCAL session_replication_role = replica";
    conn.execute(begin).await.unwrap();
    let before = moved_in_place(&mut conn).await;
    let shipped = "UPDATE session_recordings SET next_seq = next_seq + 1, last_hash = sha256('x'),
             recorded_to = recorded_to + 1, raw_bytes = raw_bytes + 1, stored_bytes = stored_bytes + 1";
    conn.execute(shipped).await.unwrap();
    assert_eq!(moved_in_place(&mut conn).await - before, 1);
    conn.execute("ROLLBACK").await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_processes_that_sign_at_once_one_does(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| key(folder.path(), name).0)
        .into();
    for _ in 0..3 {
        recorded(&pool, 10).await;
    }
    close(&pool).await;
    let signed = futures_util::future::join_all(keys.iter().map(|key| sign(&pool, key))).await;
    assert_eq!(signed.iter().sum::<usize>(), 3);
    let rows = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM recording_manifests"#);
    assert_eq!(rows.fetch_one(&pool).await.unwrap(), 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_manifest_never_changes_and_goes_with_its_recording_only(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, _) = key(folder.path(), "key");
    let session = recorded(&pool, 10).await;
    close(&pool).await;
    sign(&pool, &signing).await;
    for change in [
        "UPDATE recording_manifests SET signed_at = now()",
        "DELETE FROM recording_manifests",
        "TRUNCATE recording_manifests",
    ] {
        assert_eq!(refusal(&pool, change).await, "23001", "{change}");
    }
    let long_ago = format!(
        "UPDATE exam_sessions SET state = 'terminated', ending_kind = 'completed', version = 2,
             ended_at = now() - interval '401 days' WHERE id = '{session}';
         UPDATE session_recordings SET closed_at = now() - interval '401 days'"
    );
    tamper(&pool, &long_ago).await;
    let mut conn = pool.acquire().await.unwrap();
    let kept = std::time::Duration::from_hours(24 * 400);
    assert_eq!(delete_old_recordings(&mut conn, kept, 9).await.unwrap(), 1);
    let rows = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM recording_manifests"#);
    assert_eq!(rows.fetch_one(&pool).await.unwrap(), 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_export_writes_the_newest_manifest_beside(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, _) = key(folder.path(), "key");
    let session = recorded(&pool, 10).await;
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (to, manifest) = (path("exam.raw"), path("exam.manifest"));
    let id = session.to_string();
    let export = [
        "export",
        "--session-id",
        &id,
        "--format",
        "raw",
        "--to",
        &to,
    ];
    let export = [&export[..], &["--manifest", &manifest]].concat();
    let (code, refused) = error(&run(&pool, &export));
    let reason = (code, refused["code"].as_str());
    assert_eq!(reason, (Some(3), Some("recording.not_signed")), "{refused}");
    assert!(!folder.path().join("exam.raw").exists(), "all or nothing");
    close(&pool).await;
    sign(&pool, &signing).await;
    let (code, exported) = document(&run(&pool, &export));
    assert_eq!(
        (code, &exported["data"]["manifest"]),
        (Some(0), &json!(manifest))
    );
    let text = std::fs::read_to_string(&manifest).unwrap();
    let (_, data) = verified(&pool, session, &[]);
    let hash = format!("last_hash {}", data["last_hash"].as_str().unwrap());
    let key_id = format!("key_id {}", signing.id());
    assert!(text.lines().any(|line| line == hash), "{text}");
    assert!(text.lines().any(|line| line == key_id), "{text}");
    assert!(
        text.lines().last().unwrap().starts_with("signature "),
        "{text}"
    );
    let other = path("other.manifest");
    let again = [&export[..7], &["--manifest", &other]].concat();
    let (code, refused) = error(&run(&pool, &again));
    assert_eq!((code, &refused["field"]), (Some(2), &json!("to")));
    assert!(
        !folder.path().join("other.manifest").exists(),
        "all or nothing"
    );
}
