//! `carrel migrate`: which schema the database has, and bringing it to ours.

mod lock;
mod patience;
mod plan;
mod schema;
mod target;
mod validate;

use std::time::Duration;

use clap::Subcommand;
use command_line::{
    CliError, DirectDatabaseArgs, Document, GlobalArgs, RunCommand, counted, parse_duration,
};
use serde_json::json;
use sqlx::{Connection, PgConnection, migrate::MigrateError};
use tokio::time::Instant;

use lock::lock;
pub(crate) use schema::{Schema, read};
pub(crate) use target::newest;

/// Looks at the database's schema and brings it up to date.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Shows every migration and whether the database has it
    Status,
    /// Applies what is missing; any number of these may run at once
    Up {
        /// How long to wait for another one that is at work, or for a table that is in use, such as 30s
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
        lock_timeout: Duration,
        /// Stops after this migration, by its number in `migrate status`; without, after the last
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
        /// Says which would be applied and applies none; `migrate sql` prints their statements
        #[arg(long)]
        dry_run: bool,
        /// Past a pooler: the lock belongs to a session.
        #[command(flatten)]
        direct: DirectDatabaseArgs,
    },
    /// Prints the statements of the migrations that the database lacks
    Sql {
        /// Those of every migration, without asking a database
        #[arg(long)]
        all: bool,
    },
    /// Compares the database with what its migrations make; exit 9 when something is missing or other
    ///
    /// Applies them to a schema of its own, in a transaction that is rolled back.
    Validate,
}

impl RunCommand for MigrateCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        let connect =
            async || Ok::<_, CliError>(globals.connect().await?.acquire().await?.detach());
        match self {
            Self::Status => status(&mut connect().await?).await,
            Self::Up {
                lock_timeout,
                to,
                dry_run,
                direct,
            } => {
                let mut connection = direct.connect(&globals.database).await?;
                let target = target::known(to)?;
                if dry_run {
                    return target::preview(&mut connection, target).await;
                }
                up(connection, lock_timeout, target).await
            }
            Self::Sql { all } => plan::sql(globals, all).await,
            Self::Validate => validate::validate(&mut connect().await?).await,
        }
    }
}

async fn status(connection: &mut PgConnection) -> Result<Document, CliError> {
    let schema = read(connection).await?;
    let text = schema.text();
    Ok(Document::new("carrel/migrate-status.v1", schema).with_text(text))
}

async fn up(
    mut connection: PgConnection,
    lock_timeout: Duration,
    target: i64,
) -> Result<Document, CliError> {
    let give_up = Instant::now() + lock_timeout;
    lock(&mut connection, give_up).await?;
    let missing = read(&mut connection).await?.pending_to(target);
    let mut migrator =
        sqlx::migrate::Migrator::with_migrations(migrations::MIGRATOR.iter().cloned().collect());
    // Ours is held. The migrator's own waits inside a statement, and a waiting statement holds a
    // snapshot, which a `CREATE INDEX CONCURRENTLY` of the one at work would wait for in turn.
    migrator.set_locking(false);
    patience::run(&migrator, target, &mut connection, lock_timeout).await?;
    let schema = read(&mut connection).await?;
    // The session ends, and its lock with it.
    connection.close().await?;
    let text = format!(
        "applied {}; the schema is at {}",
        counted(missing.len(), "migration"),
        schema.version.unwrap_or_default()
    );
    let data = json!({ "applied": missing, "version": schema.version });
    Ok(Document::new("carrel/migrate-up.v1", data).with_text(text))
}

fn refused(error: MigrateError) -> CliError {
    match error {
        MigrateError::Execute(source) => source.into(),
        MigrateError::VersionMissing(version) => CliError::conflict(format!(
            "the database has migration {version}, this carrel does not"
        ))
        .code("migrate.database_is_newer")
        .next("use the carrel of the version that migrated it, or a newer one"),
        MigrateError::VersionMismatch(version) => CliError::conflict(format!(
            "migration {version} has changed since it was applied"
        ))
        .code("migrate.changed")
        .next("carrel migrate status"),
        MigrateError::ExecuteMigration(ref source, version) => {
            CliError::conflict(format!("migration {version} failed and was rolled back"))
                .code("migrate.failed")
                .caused_by(source)
        }
        other => CliError::bug("the database could not be migrated").caused_by(&other),
    }
}
