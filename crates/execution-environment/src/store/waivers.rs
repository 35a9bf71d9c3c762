//! Rows of `isolation_waivers`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::Actor;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Protection, StoreError};

/// Holds one decision that a protection need not be proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IsolationWaiver {
    /// Its id.
    pub id: Uuid,
    /// What need not be proven.
    pub protection: Protection,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub granted_by: String,
    /// When.
    pub granted_at: DateTime<Utc>,
    /// Until when it counts.
    pub expires_at: DateTime<Utc>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Whether it counts now, by the database's clock.
    pub valid: bool,
}

/// Records that the network's isolation need not be proven for as long as `lasts`.
///
/// # Errors
/// [`StoreError`]; a reason that is empty or above 500 characters, and more than 366 days, break a
/// constraint.
pub async fn grant_waiver(
    conn: &mut PgConnection,
    reason: &str,
    lasts: Duration,
    actor: &Actor,
) -> Result<IsolationWaiver, StoreError> {
    let waiver = sqlx::query_as!(
        IsolationWaiver,
        r#"
        INSERT INTO isolation_waivers (id, protection, reason, granted_by, expires_at)
        VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
        RETURNING id, protection AS "protection: Protection", reason, granted_by, granted_at, expires_at, revoked_at, revoked_by,
               (revoked_at IS NULL AND expires_at > now()) AS "valid!"
        "#,
        Uuid::now_v7(),
        Protection::NoNetwork as Protection,
        reason,
        actor.to_string(),
        lasts.as_secs_f64()
    )
    .fetch_one(conn)
    .await?;
    Ok(waiver)
}

/// Lists the newest waivers first, at most `limit`.
pub async fn list_waivers(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<IsolationWaiver>, StoreError> {
    let waivers = sqlx::query_as!(
        IsolationWaiver,
        r#"
        SELECT id, protection AS "protection: Protection", reason, granted_by, granted_at, expires_at, revoked_at, revoked_by,
               (revoked_at IS NULL AND expires_at > now()) AS "valid!"
          FROM isolation_waivers
         ORDER BY granted_at DESC, id DESC
         LIMIT $1
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(waivers)
}

/// Finds the waiver of a protection that counts longest from now, by the database's clock.
pub async fn find_valid_waiver(
    conn: &mut PgConnection,
    protection: Protection,
) -> Result<Option<IsolationWaiver>, StoreError> {
    let waiver = sqlx::query_as!(
        IsolationWaiver,
        r#"
        SELECT id, protection AS "protection: Protection", reason, granted_by, granted_at, expires_at, revoked_at, revoked_by,
               true AS "valid!"
          FROM isolation_waivers
         WHERE protection = $1 AND revoked_at IS NULL AND expires_at > now()
         ORDER BY expires_at DESC, id
         LIMIT 1
        "#,
        protection as Protection
    )
    .fetch_optional(conn)
    .await?;
    Ok(waiver)
}

/// Takes a waiver back; the first revocation stays. `None`: there is no such waiver.
pub async fn revoke_waiver(
    conn: &mut PgConnection,
    id: Uuid,
    actor: &Actor,
) -> Result<Option<IsolationWaiver>, StoreError> {
    sqlx::query!(
        // Both only once: a row that was revoked may not change.
        "UPDATE isolation_waivers SET revoked_at = now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL",
        id,
        actor.to_string()
    )
    .execute(&mut *conn)
    .await?;
    let waiver = sqlx::query_as!(
        IsolationWaiver,
        r#"
        SELECT id, protection AS "protection: Protection", reason, granted_by, granted_at, expires_at, revoked_at, revoked_by,
               (revoked_at IS NULL AND expires_at > now()) AS "valid!"
          FROM isolation_waivers
         WHERE id = $1
        "#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(waiver)
}
