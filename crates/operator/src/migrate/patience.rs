//! Migrations give way: whoever waits for a table makes all others wait behind it.

use std::time::Duration;

use command_line::{CliError, Exit};
use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};
use tokio::time::{Instant, sleep};

use super::refused;

/// A statement waits so long for a table that others use; whatever else wants it stands behind.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Lets those through that stood behind it.
const PAUSE: Duration = Duration::from_millis(500);

/// Applies what is missing up to the target. A migration that does not get a table is rolled back and
/// tried again for so long; those before it stay. What one of them takes to build costs the next none
/// of its patience.
pub(super) async fn run(
    migrator: &Migrator,
    target: i64,
    connection: &mut PgConnection,
    patience: Duration,
) -> Result<(), CliError> {
    let (mut refused_last, mut give_up) = (None, Instant::now() + patience);
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        limit_waits(connection, left.min(LONGEST_WAIT)).await?;
        let version = match migrator.run_to(target, &mut *connection).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::ExecuteMigration(ref source, version)) if waited(source) => version,
            Err(error) => return Err(refused(error)),
        };
        if refused_last
            .replace(version)
            .is_none_or(|last| last != version)
        {
            give_up = Instant::now() + patience;
        }
        if Instant::now() >= give_up {
            return Err(held(version));
        }
        sleep(PAUSE).await;
    }
}

async fn limit_waits(connection: &mut PgConnection, longest: Duration) -> Result<(), CliError> {
    // 0 would be no limit at all.
    let milliseconds = longest.as_millis().max(1).to_string();
    sqlx::query_scalar!("SELECT set_config('lock_timeout', $1, false)", milliseconds)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// PostgreSQL's `lock_not_available`.
fn waited(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.as_deref() == Some("55P03")
}

fn held(version: i64) -> CliError {
    let message = format!("a table that migration {version} changes is in use");
    CliError::new(Exit::TimedOut, message)
        .code("migrate.table_in_use")
        .next("end what uses it (pg_stat_activity), or give a longer --lock-timeout")
}
