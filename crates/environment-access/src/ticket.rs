//! Single-use tickets for a terminal.

mod redeem;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use session_identity::{ExamSessionId, LoginId, UserId};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use thiserror::Error;

use crate::facts::millis;

pub use redeem::{Redeem, RedeemError, Redeemed, TicketDenial, redeem_ticket};

/// How long a ticket lasts: a page uses it at once, so 30 s is a slow network and no more.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30);
/// Tickets one user may take in any minute, over all sessions and processes.
pub const TICKETS_PER_MINUTE: i64 = 10;
/// Bytes of randomness in a ticket.
const TICKET_BYTES: usize = 16;

/// What a ticket is bound to.
#[derive(Debug, Clone)]
pub struct TicketGrant {
    /// The session whose terminal it opens.
    pub session_id: ExamSessionId,
    /// The user who may use it.
    pub user_id: UserId,
    /// The login it was taken with.
    pub login_id: LoginId,
    /// The page origin it was taken from.
    pub origin: String,
}

/// A ticket just issued. Only its hash is stored.
#[derive(Debug, Clone)]
pub struct IssuedTicket {
    /// The ticket: 22 characters of base64url.
    pub secret: SecretString,
    /// When it ends, by the database's clock.
    pub expires_at: DateTime<Utc>,
    /// How long that is from now.
    pub expires_in: Duration,
}

/// Why no ticket was issued.
#[derive(Debug, Error)]
pub enum TicketError {
    /// The user has taken as many as one minute allows.
    #[error("issue another ticket within {}s", retry_after.as_secs())]
    TooMany {
        /// When the next one is possible.
        retry_after: Duration,
    },
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Issues a ticket.
///
/// Call it inside a transaction: a lock on the user, held to its end, makes the limit exact
/// however many processes issue at once.
///
/// # Errors
/// [`TicketError::TooMany`] beyond [`TICKETS_PER_MINUTE`]; nothing is written then.
pub async fn issue_ticket(
    conn: &mut PgConnection,
    grant: &TicketGrant,
) -> Result<IssuedTicket, TicketError> {
    lock_user(conn, &grant.user_id).await?;
    if let Some(retry_after) = full_minute(conn, &grant.user_id).await? {
        return Err(TicketError::TooMany { retry_after });
    }
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TICKET_BYTES]>());
    let expires_at = insert_ticket(conn, grant, &hash(&secret)).await?;
    Ok(IssuedTicket {
        secret: secret.into(),
        expires_at,
        expires_in: TICKET_LIFETIME,
    })
}

async fn lock_user(conn: &mut PgConnection, user_id: &UserId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('terminal_tickets:' || $1, 0))",
        user_id.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How long until the user may take another ticket, if the last minute is full.
async fn full_minute(
    conn: &mut PgConnection,
    user_id: &UserId,
) -> Result<Option<Duration>, sqlx::Error> {
    // `clock_timestamp()` and not `now()`: this transaction may have waited for the lock. The
    // row at the limit is the one whose ageing makes room.
    let wait_ms = sqlx::query_scalar!(
        r#"
        SELECT (extract(epoch FROM issued_at + interval '1 minute' - clock_timestamp()) * 1000)
                   ::bigint AS "wait_ms!"
        FROM terminal_tickets
        WHERE user_id = $1 AND issued_at > clock_timestamp() - interval '1 minute'
        ORDER BY issued_at DESC
        OFFSET $2::bigint - 1 LIMIT 1
        "#,
        user_id.as_str(),
        TICKETS_PER_MINUTE,
    )
    .fetch_optional(conn)
    .await?;
    Ok(wait_ms.map(millis))
}

async fn insert_ticket(
    conn: &mut PgConnection,
    grant: &TicketGrant,
    secret_hash: &[u8],
) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO terminal_tickets
            (secret_hash, session_id, user_id, login_id, origin, issued_at, expires_at)
        SELECT $1, $2, $3, $4, $5, at, at + make_interval(secs => $6)
        FROM clock_timestamp() AS at
        RETURNING expires_at
        "#,
        secret_hash,
        grant.session_id.as_uuid(),
        grant.user_id.as_str(),
        grant.login_id.as_str(),
        grant.origin,
        TICKET_LIFETIME.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
}

/// Revokes every unused ticket of a session and says how many there were.
///
/// # Errors
/// Errors of the database.
pub async fn revoke_tickets(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        r#"
        UPDATE terminal_tickets
        SET revoked_at = clock_timestamp()
        WHERE session_id = $1 AND used_at IS NULL AND revoked_at IS NULL
        "#,
        session_id.as_uuid(),
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
}

/// Deletes at most `limit` tickets that ended longer than `age` ago and says how many.
///
/// # Errors
/// Errors of the database.
pub async fn delete_stale_tickets(
    conn: &mut PgConnection,
    age: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        r#"
        DELETE FROM terminal_tickets
        WHERE secret_hash IN (
            SELECT secret_hash FROM terminal_tickets
            WHERE expires_at < now() - make_interval(secs => $1)
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        "#,
        age.as_secs_f64(),
        limit,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
}

/// The form in which a ticket is stored.
fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
