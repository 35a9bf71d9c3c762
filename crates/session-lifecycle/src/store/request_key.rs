//! Which write each caller's Idempotency-Key stood for.

use std::time::Duration;

use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::error::{LoadError, RememberError};
use crate::request::Remembered;

/// The longest key that is kept, in characters; the table's CHECK says the same.
const KEY_MAX: usize = 255;

/// Looks a key up without claiming it: `None` if `principal` never used it, else
/// [`Remembered::Same`] or [`Remembered::Different`].
///
/// # Errors
/// [`RememberError`] if the key is empty or too long, or the database fails.
pub async fn recall_request(
    conn: &mut PgConnection,
    principal: &str,
    key: &str,
    request_hash: &[u8],
) -> Result<Option<Remembered>, RememberError> {
    check_length(key)?;
    let known = sqlx::query!(
        r#"SELECT request_hash, session_id AS "session_id: ExamSessionId"
           FROM idempotency_keys WHERE principal = $1 AND key = $2"#,
        principal,
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(known.map(|known| {
        if known.request_hash == request_hash {
            Remembered::Same(known.session_id)
        } else {
            Remembered::Different
        }
    }))
}

/// Claims a key for a request that led to `session_id`, or says what it already stands for.
///
/// Waits for a concurrent claim of the same key, so of any number of callers one gets
/// [`Remembered::New`]. Call it in the transaction of the write it stands for.
///
/// # Errors
/// [`RememberError`] if the key is empty or too long, or the database fails.
pub async fn remember_request(
    conn: &mut PgConnection,
    principal: &str,
    key: &str,
    request_hash: &[u8],
    session_id: ExamSessionId,
) -> Result<Remembered, RememberError> {
    check_length(key)?;
    let inserted = sqlx::query!(
        "INSERT INTO idempotency_keys (principal, key, request_hash, session_id)
         VALUES ($1, $2, $3, $4) ON CONFLICT (principal, key) DO NOTHING",
        principal,
        key,
        request_hash,
        session_id.as_uuid(),
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if inserted == 1 {
        return Ok(Remembered::New);
    }
    let known = recall_request(conn, principal, key, request_hash).await?;
    // Keys of live sessions and of those that have just ended are never deleted, so that one that
    // was in the way is there to be read.
    Ok(known.unwrap_or(Remembered::Different))
}

/// Deletes at most `limit` keys, oldest first, whose session has been over for longer than `kept`, and
/// that are older than that themselves. Returns how many.
///
/// A key whose session lives is in use: the same request must go on finding that session.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn delete_old_request_keys(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, LoadError> {
    let deleted = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
            SELECT k.ctid FROM idempotency_keys k
            WHERE k.created_at < now() - make_interval(secs => $1)
              AND NOT EXISTS (
                  SELECT 1 FROM exam_sessions s WHERE s.id = k.session_id
                    AND (s.ended_at IS NULL OR s.ended_at >= now() - make_interval(secs => $1)))
            ORDER BY k.created_at LIMIT $2 FOR UPDATE OF k SKIP LOCKED))",
        kept.as_secs_f64(),
        limit,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}

/// Counts the keys that [`delete_old_request_keys`] would delete without a limit.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn count_old_request_keys(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, LoadError> {
    let keys = sqlx::query_scalar!(
        r#"SELECT count(*) AS "keys!" FROM idempotency_keys k
           WHERE k.created_at < now() - make_interval(secs => $1)
             AND NOT EXISTS (
                 SELECT 1 FROM exam_sessions s WHERE s.id = k.session_id
                   AND (s.ended_at IS NULL OR s.ended_at >= now() - make_interval(secs => $1)))"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(keys)
}

fn check_length(key: &str) -> Result<(), RememberError> {
    match key.chars().count() {
        1..=KEY_MAX => Ok(()),
        length => Err(RememberError::KeyLength { length }),
    }
}
