//! Manifests of closed recordings.

use std::time::SystemTime;

use chrono::{DateTime, SubsecRound as _, Utc};
use session_identity::ExamSessionId;
use sqlx::{Connection as _, PgConnection};

use crate::manifest::{KeyId, Manifest, SignedManifest, SigningKey};

/// Recordings that are signed in one transaction: some 10 ms of a processor, for which their heads are locked.
const SIGNED_AT_ONCE: i64 = 500;

/// Signs closed recordings of which something is not signed yet, the longest closed first. Returns how many.
///
/// # Errors
/// Errors of the database; then none was signed.
pub async fn sign_closed_recordings(
    conn: &mut PgConnection,
    key: &SigningKey,
) -> Result<usize, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let manifests: Vec<_> = lock_unsigned(&mut tx, key.id())
        .await?
        .into_iter()
        .map(|manifest| manifest.sign(key))
        .collect();
    if !manifests.is_empty() {
        append(&mut tx, &manifests).await?;
    }
    tx.commit().await?;
    // A second note of each hash, where the owner of the tables does not write.
    for SignedManifest { manifest, .. } in &manifests {
        tracing::info!(session.id = %manifest.session_id, segments = manifest.segments,
            last_hash = hex::encode(manifest.last_hash), key.id = %manifest.key_id, "a recording is signed");
    }
    Ok(manifests.len())
}

async fn lock_unsigned(
    conn: &mut PgConnection,
    key_id: KeyId,
) -> Result<Vec<Manifest>, sqlx::Error> {
    // SKIP LOCKED: every terminal process does this, and who ships late makes it longer first.
    let rows = sqlx::query!(
        r#"SELECT session_id, next_seq, last_hash, closed_at AS "closed_at!" FROM session_recordings
           WHERE closed_at IS NOT NULL AND signed_segments IS DISTINCT FROM next_seq
           ORDER BY closed_at LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        SIGNED_AT_ONCE,
    )
    .fetch_all(conn)
    .await?;
    let signed_at = own_time();
    // The schema allows nothing but hashes of 32 bytes.
    let manifest = rows.into_iter().map(|row| Manifest {
        session_id: ExamSessionId::from_uuid(row.session_id),
        segments: row.next_seq,
        last_hash: row.last_hash.try_into().unwrap_or_default(),
        closed_at: row.closed_at,
        signed_at,
        key_id,
    });
    Ok(manifest.collect())
}

/// This process's time: whoever owns the tables may set the database's clock. Nothing is decided by it.
fn own_time() -> DateTime<Utc> {
    DateTime::<Utc>::from(SystemTime::now()).trunc_subsecs(6)
}

async fn append(conn: &mut PgConnection, manifests: &[SignedManifest]) -> Result<(), sqlx::Error> {
    let each = || manifests.iter().map(|signed| &signed.manifest);
    let sessions: Vec<_> = each().map(|it| it.session_id.as_uuid()).collect();
    let segments: Vec<_> = each().map(|it| it.segments).collect();
    let last_hashes: Vec<_> = each().map(|it| it.last_hash.to_vec()).collect();
    let closed_ats: Vec<_> = each().map(|it| it.closed_at).collect();
    let signed_ats: Vec<_> = each().map(|it| it.signed_at).collect();
    let key_ids: Vec<_> = each().map(|it| it.key_id.0.to_vec()).collect();
    let signatures = manifests.iter().map(|signed| signed.signature.to_vec());
    // The first that was signed of a state stays: a head that lost its note is given it again.
    sqlx::query!(
        "WITH appended AS (
             INSERT INTO recording_manifests
                 (session_id, segments, last_hash, closed_at, signed_at, key_id, signature)
             SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::timestamptz[],
                 $5::timestamptz[], $6::bytea[], $7::bytea[])
             ON CONFLICT DO NOTHING
         )
         UPDATE session_recordings r SET signed_segments = signed.segments
         FROM unnest($1::uuid[], $2::bigint[]) AS signed (session_id, segments)
         WHERE r.session_id = signed.session_id",
        &sessions,
        &segments,
        &last_hashes,
        &closed_ats,
        &signed_ats,
        &key_ids,
        &signatures.collect::<Vec<_>>(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What was signed of a session's recording, in the order in which it was.
pub(crate) async fn load_manifests(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<SignedManifest>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT segments, last_hash, closed_at, signed_at, key_id, signature
         FROM recording_manifests WHERE session_id = $1 ORDER BY segments",
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await?;
    // What has another length was not signed: it becomes a value whose signature is another.
    Ok(rows
        .into_iter()
        .map(|row| SignedManifest {
            manifest: Manifest {
                session_id,
                segments: row.segments,
                last_hash: row.last_hash.try_into().unwrap_or_default(),
                closed_at: row.closed_at,
                signed_at: row.signed_at,
                key_id: KeyId(row.key_id.try_into().unwrap_or_default()),
            },
            signature: row.signature.try_into().unwrap_or([0; 64]),
        })
        .collect())
}
