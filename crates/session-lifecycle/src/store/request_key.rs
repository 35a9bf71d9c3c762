//! Which write each caller's Idempotency-Key stood for.

use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::error::RememberError;
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
    // Keys are never deleted while their transaction may still be repeated, so one that was in
    // the way is there to be read.
    Ok(known.unwrap_or(Remembered::Different))
}

fn check_length(key: &str) -> Result<(), RememberError> {
    match key.chars().count() {
        1..=KEY_MAX => Ok(()),
        length => Err(RememberError::KeyLength { length }),
    }
}
