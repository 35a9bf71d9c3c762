//! Granting more time: one audited update, no job.

use session_lifecycle::{ExtendError, Extended, Extension, extend};
use sqlx::{PgPool, PgTransaction};
use tracing::Instrument as _;

use crate::compensate::check_key;

/// Moves a session's deadline in one transaction. Expiry and extension race on the row's lock:
/// whoever commits first wins, and an extension after expiry is refused with that reason.
///
/// # Errors
/// [`ExtendError`]; nothing moved then.
pub async fn extend_session(pool: &PgPool, extension: &Extension) -> Result<Extended, ExtendError> {
    let (transaction, extended) = extended(pool, extension).await?;
    transaction.commit().await?;
    Ok(extended)
}

/// Tells what [`extend_session`] would do: the same, rolled back.
///
/// # Errors
/// As [`extend_session`].
pub async fn rehearse_extension(
    pool: &PgPool,
    extension: &Extension,
) -> Result<Extended, ExtendError> {
    // The log tells of an extension that is rolled back.
    let rehearsal = tracing::info_span!("rehearsal");
    let (transaction, extended) = extended(pool, extension).instrument(rehearsal).await?;
    transaction.rollback().await?;
    Ok(extended)
}

/// Moves the deadline in a transaction that is still open.
async fn extended(
    pool: &PgPool,
    extension: &Extension,
) -> Result<(PgTransaction<'static>, Extended), ExtendError> {
    check_key(&extension.idempotency_key)?;
    let mut transaction = pool.begin().await?;
    let extended = extend(&mut transaction, extension).await?;
    Ok((transaction, extended))
}
