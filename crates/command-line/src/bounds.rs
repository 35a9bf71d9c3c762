//! How long a statement may take, and wait for whoever holds what it needs.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

/// What a read may take: whoever waits for longer has asked for too much, and the database works for
/// exams meanwhile.
pub const READ_LASTS: Duration = Duration::from_secs(10);

/// What a write waits for a row or a table that somebody else holds.
pub const WRITE_WAITS: Duration = Duration::from_secs(2);

/// Reads in a transaction of its own, each of whose statements takes so long at most. The bound ends
/// with the transaction, so that a pooler hands it on to nobody.
///
/// # Errors
/// Those of `read`; a statement that takes too long is `query_canceled` (57014).
pub async fn read_within<R, E: From<sqlx::Error>>(
    connection: &mut PgConnection,
    lasts: Duration,
    read: impl AsyncFnOnce(&mut PgConnection) -> Result<R, E>,
) -> Result<R, E> {
    let mut transaction = connection.begin().await?;
    // 0 would be no limit at all.
    let milliseconds = lasts.as_millis().max(1).to_string();
    sqlx::query_scalar!(
        "SELECT set_config('statement_timeout', $1, true)",
        milliseconds
    )
    .fetch_one(&mut *transaction)
    .await?;
    let found = read(&mut transaction).await;
    transaction.rollback().await?;
    found
}

/// Writes in a transaction of its own, in which no statement waits for others for longer than
/// [`WRITE_WAITS`]; committed where the write succeeds.
///
/// # Errors
/// Those of `write`; a wait that takes too long is `lock_not_available` (55P03), and nothing is changed.
pub async fn write_within<R, E: From<sqlx::Error>>(
    connection: &mut PgConnection,
    write: impl AsyncFnOnce(&mut PgConnection) -> Result<R, E>,
) -> Result<R, E> {
    let mut transaction = connection.begin().await?;
    wait_briefly(&mut transaction).await?;
    let written = write(&mut transaction).await;
    if written.is_ok() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    written
}

/// Has no later statement of the transaction under way wait for others for longer than [`WRITE_WAITS`].
///
/// # Errors
/// Whatever the database says.
pub async fn wait_briefly(transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
    let milliseconds = WRITE_WAITS.as_millis().to_string();
    sqlx::query_scalar!("SELECT set_config('lock_timeout', $1, true)", milliseconds)
        .fetch_one(transaction)
        .await?;
    Ok(())
}
