//! Granting more time: one audited update, no job.

use session_lifecycle::{ExtendError, Extended, Extension, extend};
use sqlx::PgPool;

use crate::compensate::check_key;

/// Moves a session's deadline in one transaction. Expiry and extension race on the row's lock:
/// whoever commits first wins, and an extension after expiry is refused with that reason.
///
/// # Errors
/// [`ExtendError`]; nothing moved then.
pub async fn extend_session(pool: &PgPool, extension: &Extension) -> Result<Extended, ExtendError> {
    check_key(&extension.idempotency_key)?;
    let mut transaction = pool.begin().await?;
    let extended = extend(&mut transaction, extension).await?;
    transaction.commit().await?;
    Ok(extended)
}
