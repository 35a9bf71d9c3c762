//! Manifests of closed recordings.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SubsecRound as _, Utc};
use session_identity::ExamSessionId;
use sqlx::{Connection as _, PgConnection};

use crate::manifest::{KeyId, Manifest, SignedManifest, SigningKey};

/// Recordings that are signed in one transaction: some 10 ms of a processor, for which their heads are locked.
const SIGNED_AT_ONCE: u16 = 500;
/// What is closed is signed in the next half minute: after so many seconds it is told as unsigned.
const SIGNED_WITHIN: Duration = Duration::from_mins(10);

/// Signs closed recordings of which something is not signed yet, the last closed first, so that none waits
/// behind all that were closed before there was a key. Returns how many, at most 500.
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

/// Signs what waits, at least once, and goes on for a `turn` while more of it does.
pub(crate) async fn sign_waiting(
    conn: &mut PgConnection,
    key: &SigningKey,
    turn: Duration,
) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    loop {
        let signed = sign_closed_recordings(conn, key).await?;
        if signed < usize::from(SIGNED_AT_ONCE) || begun.elapsed() >= turn {
            return Ok(());
        }
    }
}

/// Counts recordings that were closed ten minutes ago and are not signed.
pub(crate) async fn count_unsigned(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "recordings!" FROM session_recordings
           WHERE closed_at < now() - make_interval(secs => $1) AND signed_segments IS NULL"#,
        SIGNED_WITHIN.as_secs_f64(),
    );
    Ok(count.fetch_one(conn).await?.unsigned_abs())
}

async fn lock_unsigned(
    conn: &mut PgConnection,
    key_id: KeyId,
) -> Result<Vec<Manifest>, sqlx::Error> {
    // SKIP LOCKED: every terminal process does this, and who ships late makes it longer first.
    let rows = sqlx::query!(
        r#"SELECT session_id, next_seq, last_hash, closed_at AS "closed_at!", final_hash AS "final_hash!"
           FROM session_recordings
           WHERE closed_at IS NOT NULL AND signed_segments IS NULL
           ORDER BY closed_at DESC LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        i64::from(SIGNED_AT_ONCE),
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
        final_hash: row.final_hash.try_into().unwrap_or_default(),
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
    // The first that a key signed of a state stays: a head that lost its note is given it again.
    sqlx::query!(
        "INSERT INTO recording_manifests
             (session_id, segments, last_hash, closed_at, signed_at, key_id, signature)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::timestamptz[],
             $5::timestamptz[], $6::bytea[], $7::bytea[])
         ON CONFLICT DO NOTHING",
        &sessions,
        &segments,
        &last_hashes,
        &closed_ats,
        &signed_ats,
        &key_ids,
        &signatures.collect::<Vec<_>>(),
    )
    .execute(&mut *conn)
    .await?;
    // A statement of its own: the trigger looks for the manifest that it notes.
    sqlx::query!(
        "UPDATE session_recordings r SET signed_segments = signed.segments
         FROM unnest($1::uuid[], $2::bigint[]) AS signed (session_id, segments)
         WHERE r.session_id = signed.session_id",
        &sessions,
        &segments,
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
        "SELECT m.segments, m.last_hash, m.closed_at, r.final_hash, m.signed_at, m.key_id, m.signature
         FROM recording_manifests m JOIN session_recordings r USING (session_id)
         WHERE m.session_id = $1 ORDER BY m.segments, m.signed_at",
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
                // As the recording has it: the signature is of no other.
                final_hash: row
                    .final_hash
                    .unwrap_or_default()
                    .try_into()
                    .unwrap_or_default(),
                signed_at: row.signed_at,
                key_id: KeyId(row.key_id.try_into().unwrap_or_default()),
            },
            signature: row.signature.try_into().unwrap_or([0; 64]),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use sqlx::{Executor as _, PgPool};

    use super::*;

    /// Recordings that were closed two seconds after each other, one more than are signed at once.
    async fn closed(pool: &PgPool) {
        let closed = "BEGIN; SET LOCAL session_replication_role = replica;
             INSERT INTO session_recordings (session_id, closed_at, final_hash)
             SELECT gen_random_uuid(), now() - it * interval '2 seconds', sha256('')
             FROM generate_series(1, 501) it; COMMIT";
        pool.execute(closed).await.unwrap();
    }

    /// How many are not signed, and whether they were closed before all that are.
    async fn unsigned(pool: &PgPool) -> (i64, bool) {
        let left = sqlx::query!(
            r#"SELECT count(*) FILTER (WHERE signed_segments IS NULL) AS "left!",
                   coalesce(max(closed_at) FILTER (WHERE signed_segments IS NULL)
                       < min(closed_at) FILTER (WHERE signed_segments IS NOT NULL), true) AS "oldest!"
               FROM session_recordings"#
        );
        let left = left.fetch_one(pool).await.unwrap();
        (left.left, left.oldest)
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn what_was_closed_last_is_signed_first(pool: PgPool) {
        let key = SigningKey::generate();
        closed(&pool).await;
        let mut conn = pool.acquire().await.unwrap();
        assert_eq!(sign_closed_recordings(&mut conn, &key).await.unwrap(), 500);
        assert_eq!(unsigned(&pool).await, (1, true));
        assert_eq!(count_unsigned(&mut conn).await.unwrap(), 1);
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn a_turn_goes_on_while_more_waits(pool: PgPool) {
        let key = SigningKey::generate();
        closed(&pool).await;
        let mut conn = pool.acquire().await.unwrap();
        let turn = Duration::from_hours(1);
        sign_waiting(&mut conn, &key, turn).await.unwrap();
        assert_eq!(unsigned(&pool).await, (0, true));
    }
}
