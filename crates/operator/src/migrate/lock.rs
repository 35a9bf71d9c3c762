//! One migration at a time in a database, whoever runs it.

use std::time::Duration;

use command_line::{CliError, Exit};
use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

/// "carrel" and a number, as PostgreSQL wants it: one 64-bit key per purpose.
const KEY: i64 = 0x6361_7272_656c_0001;
const PAUSE: Duration = Duration::from_millis(100);

/// Takes the lock for as long as the connection lives. It is tried again and again rather than
/// waited for inside a statement, which would hold a snapshot for the whole wait.
pub(super) async fn lock(connection: &mut PgConnection, give_up: Instant) -> Result<(), CliError> {
    while !try_lock(connection).await? {
        if Instant::now() >= give_up {
            return Err(
                CliError::new(Exit::TimedOut, "another migration is still at work")
                    .code("migrate.locked")
                    .next("wait for it, or give a longer --lock-timeout"),
            );
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn try_lock(connection: &mut PgConnection) -> Result<bool, CliError> {
    let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, KEY)
        .fetch_one(connection)
        .await?;
    Ok(locked)
}
