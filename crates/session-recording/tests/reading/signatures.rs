//! What was signed of a recording, and what that proves.

use std::path::Path;

use serde_json::{Value, json};
use session_identity::ExamSessionId;
use session_recording::{
    Entries, Entry, FIRST_HASH, Hash, Segment, delete_old_recordings, put_entry,
    sign_closed_recordings,
};
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use crate::keys::key;
use crate::support::segments;
use crate::tampering::tamper;
use crate::writing::{document, error, leave_behind, recorded, run, ship};

/// Closes what is open, as after the end of its session.
async fn close(pool: &PgPool) {
    let close =
        "UPDATE session_recordings SET closed_at = clock_timestamp(), final_hash = last_hash
                 WHERE closed_at IS NULL";
    pool.execute(close).await.unwrap();
}

async fn sign(pool: &PgPool, key: &session_recording::SigningKey) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    sign_closed_recordings(&mut conn, key).await.unwrap()
}

/// Ships something of a process that died, after the session's `from`.
async fn arrive_late(pool: &PgPool, session: ExamSessionId, from: u64) {
    let spool = tempfile::tempdir().unwrap();
    let late = Entry::Output("late".into());
    let entries = [(1_790_000_000_000_000, late)];
    leave_behind(spool.path(), (session, 1, from), &entries);
    ship(pool, spool.path()).await;
}

/// Of how many segments the one recording is.
async fn head(pool: &PgPool) -> i64 {
    let next = sqlx::query_scalar!("SELECT next_seq FROM session_recordings");
    next.fetch_one(pool).await.unwrap()
}

/// The code with which the database refuses something.
async fn refusal(pool: &PgPool, statement: &str) -> String {
    let refused = pool.execute(AssertSqlSafe(statement.to_owned())).await;
    let refused = refused.expect_err(statement);
    let code = refused.as_database_error().and_then(DatabaseError::code);
    code.unwrap().into_owned()
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

/// What `verify` says with these flags: its exit code and its data.
fn verified(pool: &PgPool, session: ExamSessionId, flags: &[&str]) -> (Option<i32>, Value) {
    let session = session.to_string();
    let verify = ["verify", "--session-id", &session];
    let (code, mut document) = document(&run(pool, &[&verify[..], flags].concat()));
    (code, document["data"].take())
}

/// What it says to people.
fn text(pool: &PgPool, session: ExamSessionId) -> String {
    let session = session.to_string();
    let verify = ["verify", "--session-id", &session, "--output", "text"];
    String::from_utf8(run(pool, &verify).stdout).unwrap()
}

/// What it says of the signature with these flags, where the chain itself is whole.
fn signature_by(pool: &PgPool, session: ExamSessionId, flags: &[&str]) -> (Option<i32>, String) {
    let (code, data) = verified(pool, session, flags);
    assert_eq!(data["is_intact"], true, "{data}");
    (code, data["signature"].as_str().unwrap().to_owned())
}

/// The same, with these keys.
fn signature(pool: &PgPool, session: ExamSessionId, keys: &[&str]) -> (Option<i32>, String) {
    let flags: Vec<_> = keys.iter().flat_map(|key| ["--public-key", key]).collect();
    signature_by(pool, session, &flags)
}

/// The same segment with other output, and the hash that it has in its place.
fn rewritten(segments: &[Segment]) -> (Segment, Hash) {
    let (last, before) = segments.split_last().unwrap();
    let mut log = Vec::new();
    for timed in Entries::new(last.log().unwrap()) {
        let timed = timed.unwrap();
        let entry = match timed.entry {
            Entry::Output(bytes) => Entry::Output(vec![b'?'; bytes.len()].into()),
            other => other,
        };
        put_entry(&mut log, timed.delta_micros, &entry);
    }
    let segment = Segment::compress(last.header, &log).unwrap();
    let chained = |hash: Hash, segment: &Segment| segment.hash_after(&hash);
    let hash = segment.hash_after(&before.iter().fold(FIRST_HASH, chained));
    (segment, hash)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_segment_that_the_tables_owner_rewrote_with_its_head_is_found_by_the_signature(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 70_000).await;
    close(&pool).await;
    assert_eq!(sign(&pool, &signing).await, 1);
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), valid);

    let (segment, hash) = rewritten(&segments(&pool, session).await);
    let hex = |bytes: &[u8]| format!("'\\x{}'", hex::encode(bytes));
    tamper(
        &pool,
        &format!(
            "UPDATE recording_segments SET raw_hash = {}, payload = {}, hash = {hash}
             WHERE seq = (SELECT max(seq) FROM recording_segments);
             UPDATE session_recordings SET last_hash = {hash}, final_hash = {hash}",
            hex(&segment.raw_hash),
            hex(&segment.payload),
            hash = hex(&hash),
        ),
    )
    .await;
    let invalid = (Some(9), "invalid".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), invalid);
    // Whoever rewrites what was signed as well cannot sign it.
    let hash = hex(&hash);
    let manifest = format!("UPDATE recording_manifests SET last_hash = {hash}");
    tamper(&pool, &manifest).await;
    assert_eq!(signature(&pool, session, &[&public]), invalid);
    let unknown = (Some(0), "unknown_key".to_owned());
    assert_eq!(
        signature(&pool, session, &[]),
        unknown,
        "without a key nobody can tell"
    );
    // Nor does it help to take the manifest away: then nothing is proven.
    tamper(&pool, "DELETE FROM recording_manifests").await;
    let missing = (Some(9), "missing".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), missing);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_recording_cut_off_or_closed_at_another_time_is_not_the_one_that_was_signed(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 200_000).await;
    close(&pool).await;
    sign(&pool, &signing).await;
    let invalid = (Some(9), "invalid".to_owned());
    let moved = "UPDATE session_recordings SET closed_at = closed_at - interval '1 hour'";
    tamper(&pool, moved).await;
    assert_eq!(signature(&pool, session, &[&public]), invalid);
    tamper(&pool, &moved.replace('-', "+")).await;
    assert_eq!(signature(&pool, session, &[&public]).0, Some(0));
    let cut_off = "DELETE FROM recording_segments WHERE seq = (SELECT max(seq) FROM recording_segments);
         UPDATE session_recordings SET next_seq = next_seq - 1,
             (last_hash, final_hash) = (SELECT hash, hash FROM recording_segments ORDER BY seq DESC LIMIT 1)";
    tamper(&pool, cut_off).await;
    assert_eq!(signature(&pool, session, &[&public]), invalid);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_arrives_late_is_signed_by_one_manifest_more_and_keys_are_rotated(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (old, old_public) = key(folder.path(), "old");
    let (new, new_public) = key(folder.path(), "new");
    let session = recorded(&pool, 1_000).await;
    assert_eq!(sign(&pool, &old).await, 0, "it is not closed");
    let missing = (Some(9), "missing".to_owned());
    assert_eq!(signature(&pool, session, &[&old_public]), missing);
    close(&pool).await;
    assert_eq!(sign(&pool, &old).await, 1);
    assert_eq!(sign(&pool, &old).await, 0, "all of it is signed");
    arrive_late(&pool, session, 1_000).await;
    assert_eq!(signature(&pool, session, &[&old_public]), missing);
    assert_eq!(signature(&pool, session, &[]).0, Some(0));
    assert_eq!(sign(&pool, &new).await, 1);
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(
        signature(&pool, session, &[&old_public, &new_public]),
        valid
    );
    assert_eq!(signature(&pool, session, &[&new_public]), valid);
    let unknown = (Some(9), "unknown_key".to_owned());
    assert_eq!(signature(&pool, session, &[&old_public]), unknown);
    let (_, data) = verified(&pool, session, &["--public-key", &new_public]);
    let of = |index: usize, name: &str| data["manifests"][index][name].clone();
    assert_eq!(data["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(of(0, "key_id"), json!(old.id().to_string()));
    assert_eq!(of(0, "signature"), "unknown_key");
    assert_eq!(of(1, "key_id"), json!(new.id().to_string()));
    assert_eq!(of(1, "signature"), "valid");
    assert_eq!(of(1, "segments"), data["segments"]);
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
    let text = text(&pool, session);
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
         SELECT session_id, next_seq, sha256('x'), now(), now(), sha256('y'), sha512('z')
         FROM session_recordings";
    pool.execute(stray).await.unwrap();
    assert_eq!(sign(&pool, &signing).await, 1);
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), valid);
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

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn when_it_was_closed_and_with_what_is_signed_too(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 1_000).await;
    close(&pool).await;
    arrive_late(&pool, session, 1_000).await;
    sign(&pool, &signing).await;
    assert_eq!(signature(&pool, session, &[&public]).0, Some(0));
    // As if what arrived late had been there in time.
    let moved = "UPDATE session_recordings SET final_hash = last_hash";
    tamper(&pool, moved).await;
    let invalid = (Some(9), "invalid".to_owned());
    assert_eq!(signature(&pool, session, &[&public]), invalid);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_signature_is_valid_where_the_chain_is_broken(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (signing, public) = key(folder.path(), "key");
    let session = recorded(&pool, 10).await;
    close(&pool).await;
    sign(&pool, &signing).await;
    let behind = "UPDATE session_recordings SET next_seq = next_seq + 1";
    tamper(&pool, behind).await;
    let (code, data) = verified(&pool, session, &["--public-key", &public]);
    let told = (code, &data["is_intact"], &data["signature"]);
    assert_eq!(told, (Some(9), &json!(false), &json!("missing")));
}

/// Shipments are many; the heads that they move are few and in no index by what they move.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_running_recordings_head_moves_in_place(pool: PgPool) {
    recorded(&pool, 10).await;
    let mut conn = pool.acquire().await.unwrap();
    let moved = "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE session_recordings SET next_seq = next_seq + 1, last_hash = sha256('x'),
             recorded_to = recorded_to + 1, raw_bytes = raw_bytes + 1, stored_bytes = stored_bytes + 1";
    conn.execute(moved).await.unwrap();
    let in_place = sqlx::query_scalar!(
        r#"SELECT pg_stat_get_xact_tuples_hot_updated('session_recordings'::regclass) AS "n!""#
    );
    assert_eq!(in_place.fetch_one(&mut *conn).await.unwrap(), 1);
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
