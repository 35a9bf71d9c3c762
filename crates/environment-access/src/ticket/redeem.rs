//! Using a ticket up.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use session_identity::{ExamSessionId, LoginId, UserId};
use sqlx::PgConnection;
use thiserror::Error;

use super::hash;

/// An attempt to use a ticket.
#[derive(Debug, Clone)]
pub struct Redeem {
    /// The ticket.
    pub secret: SecretString,
    /// The session whose terminal is to be opened.
    pub session_id: ExamSessionId,
    /// The user who wants to.
    pub user_id: UserId,
    /// The login they use.
    pub login_id: LoginId,
    /// The page origin they come from.
    pub origin: String,
}

/// A ticket that has just been used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// When it had been issued.
    pub issued_at: DateTime<Utc>,
}

/// Why a ticket was not accepted.
#[derive(Debug, Error)]
pub enum RedeemError {
    /// It is not good. The caller is told no more than that.
    #[error("accept a ticket: {}", .0.as_str())]
    Denied(TicketDenial),
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What is wrong with a ticket. For logs and operators only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketDenial {
    /// No such ticket was ever issued.
    Unknown,
    /// It was used before.
    Used,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for another session.
    OtherSession,
    /// It belongs to another user.
    OtherUser,
    /// It was taken with another login.
    OtherLogin,
    /// It was taken from another origin.
    OtherOrigin,
}

impl TicketDenial {
    /// A stable phrase.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "ticket unknown",
            Self::Used => "ticket used before",
            Self::Revoked => "ticket revoked",
            Self::Expired => "ticket expired",
            Self::OtherSession => "ticket is for another session",
            Self::OtherUser => "ticket belongs to another user",
            Self::OtherLogin => "ticket was taken with another login",
            Self::OtherOrigin => "ticket was taken from another origin",
        }
    }
}

/// Uses a ticket up, in one statement: of any number of attempts one succeeds.
///
/// # Errors
/// [`RedeemError::Denied`] with the true reason, which is for logs only.
pub async fn redeem_ticket(
    conn: &mut PgConnection,
    attempt: &Redeem,
) -> Result<Redeemed, RedeemError> {
    let secret_hash = hash(attempt.secret.expose_secret());
    // Every binding is in the predicate: a ticket tried by the wrong party stays usable for
    // the right one, so nobody can burn somebody else's.
    let issued_at = sqlx::query_scalar!(
        r#"
        UPDATE terminal_tickets
        SET used_at = clock_timestamp()
        WHERE secret_hash = $1 AND session_id = $2 AND user_id = $3 AND login_id = $4
          AND origin = $5
          AND used_at IS NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()
        RETURNING issued_at
        "#,
        secret_hash.as_slice(),
        attempt.session_id.as_uuid(),
        attempt.user_id.as_str(),
        attempt.login_id.as_str(),
        attempt.origin,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match issued_at {
        Some(issued_at) => Ok(Redeemed { issued_at }),
        None => Err(RedeemError::Denied(
            denial(conn, &secret_hash, attempt).await?,
        )),
    }
}

async fn denial(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    attempt: &Redeem,
) -> Result<TicketDenial, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT session_id, user_id, login_id, origin,
               used_at IS NOT NULL AS "used!", revoked_at IS NOT NULL AS "revoked!"
        FROM terminal_tickets
        WHERE secret_hash = $1
        "#,
        secret_hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        None => TicketDenial::Unknown,
        Some(row) if row.session_id != attempt.session_id.as_uuid() => TicketDenial::OtherSession,
        Some(row) if row.user_id != attempt.user_id.as_str() => TicketDenial::OtherUser,
        Some(row) if row.login_id != attempt.login_id.as_str() => TicketDenial::OtherLogin,
        Some(row) if row.origin != attempt.origin => TicketDenial::OtherOrigin,
        Some(row) if row.used => TicketDenial::Used,
        Some(row) if row.revoked => TicketDenial::Revoked,
        Some(_) => TicketDenial::Expired,
    })
}
