//! What was signed of a recording, and what that proves.

use serde_json::{Value, json};
use session_identity::ExamSessionId;
use session_recording::{
    Entries, Entry, FIRST_HASH, Hash, Segment, put_entry, sign_closed_recordings,
};
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use crate::keys::key;
use crate::support::segments;
use crate::tampering::tamper;
use crate::writing::{document, leave_behind, recorded, run, ship};

/// Closes what is open, as after the end of its session.
pub(crate) async fn close(pool: &PgPool) {
    let close =
        "UPDATE session_recordings SET closed_at = clock_timestamp(), final_hash = last_hash
                 WHERE closed_at IS NULL";
    pool.execute(close).await.unwrap();
}

pub(crate) async fn sign(pool: &PgPool, key: &session_recording::SigningKey) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    sign_closed_recordings(&mut conn, key).await.unwrap()
}

/// Ships something of a process that died, after the session's `from`.
pub(crate) async fn arrive_late(pool: &PgPool, session: ExamSessionId, from: u64) {
    let spool = tempfile::tempdir().unwrap();
    let late = Entry::Output("late".into());
    let entries = [(1_790_000_000_000_000, late)];
    leave_behind(spool.path(), (session, 1, from), &entries);
    ship(pool, spool.path()).await;
}

/// The code with which the database refuses something.
pub(crate) async fn refusal(pool: &PgPool, statement: &str) -> String {
    let refused = pool.execute(AssertSqlSafe(statement.to_owned())).await;
    let refused = refused.expect_err(statement);
    let code = refused.as_database_error().and_then(DatabaseError::code);
    code.unwrap().into_owned()
}

/// What `verify` says with these flags: its exit code and its data.
pub(crate) fn verified(
    pool: &PgPool,
    session: ExamSessionId,
    flags: &[&str],
) -> (Option<i32>, Value) {
    let session = session.to_string();
    let verify = ["verify", "--session-id", &session];
    let (code, mut document) = document(&run(pool, &[&verify[..], flags].concat()));
    (code, document["data"].take())
}

/// What it says to people, with these flags.
pub(crate) fn text(pool: &PgPool, session: ExamSessionId, flags: &[&str]) -> String {
    let session = session.to_string();
    let verify = ["verify", "--session-id", &session, "--output", "text"];
    String::from_utf8(run(pool, &[&verify[..], flags].concat()).stdout).unwrap()
}

/// What it says of the signature with these flags, where the chain itself is whole.
pub(crate) fn signature_by(
    pool: &PgPool,
    session: ExamSessionId,
    flags: &[&str],
) -> (Option<i32>, String) {
    let (code, data) = verified(pool, session, flags);
    assert_eq!(data["is_intact"], true, "{data}");
    (code, data["signature"].as_str().unwrap().to_owned())
}

/// The same, with these keys.
pub(crate) fn signature(
    pool: &PgPool,
    session: ExamSessionId,
    keys: &[&str],
) -> (Option<i32>, String) {
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
