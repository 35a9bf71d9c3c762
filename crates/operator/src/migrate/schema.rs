//! The migrations of this binary beside those of the database.

use std::collections::BTreeMap;

use command_line::CliError;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::migrate::{Migrate, MigrateError};

/// How one migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// The database has it.
    Applied,
    /// The database lacks it.
    Pending,
    /// It was begun outside of a transaction, and goes on or has failed.
    Unfinished,
    /// The database has another text under its number.
    Changed,
    /// The database has it and this binary does not know it.
    Unknown,
}

impl Standing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Unfinished => "unfinished",
            Self::Changed => "changed",
            Self::Unknown => "unknown",
        }
    }
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct MigrationStanding {
    version: i64,
    description: Option<String>,
    state: Standing,
}

/// Every migration that either side knows, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Schema {
    /// The newest that the database has.
    pub(crate) version: Option<i64>,
    /// Whether both sides agree.
    pub(crate) current: bool,
    migrations: Vec<MigrationStanding>,
}

impl Schema {
    /// Whether processes of this release may serve on it: whatever they know is there as they know it.
    /// What a newer release added is no hindrance, since migrations expand before they contract.
    pub(crate) fn fits(&self) -> bool {
        let mut all = self.migrations.iter();
        all.all(|one| matches!(one.state, Standing::Applied | Standing::Unknown))
    }

    /// Says what shows or mends that it does not fit.
    pub(crate) fn mend(&self) -> &'static str {
        let mut all = self.migrations.iter();
        if all.any(|one| matches!(one.state, Standing::Changed | Standing::Unfinished)) {
            "carrel migrate status"
        } else {
            "carrel migrate up"
        }
    }

    /// Gives the numbers of those that the database lacks.
    pub(crate) fn pending(&self) -> Vec<i64> {
        let pending = self
            .migrations
            .iter()
            .filter(|one| one.state == Standing::Pending);
        pending.map(|migration| migration.version).collect()
    }

    /// Gives the numbers of those that the database lacks, up to this one.
    pub(crate) fn pending_to(&self, target: i64) -> Vec<i64> {
        let pending = self.pending().into_iter();
        pending.filter(|version| *version <= target).collect()
    }

    /// Says what is not as it should be, one phrase each.
    pub(crate) fn differences(&self) -> Vec<String> {
        let odd = self
            .migrations
            .iter()
            .filter(|one| one.state != Standing::Applied);
        odd.map(|one| format!("{} is {}", one.version, one.state.as_str()))
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        let line = |migration: &MigrationStanding| {
            let state = migration.state.as_str();
            let description = migration.description.as_deref().unwrap_or("?");
            format!("{}  {state:<10} {description}\n", migration.version)
        };
        self.migrations.iter().map(line).collect()
    }
}

/// Reads what the database has; writes nothing, not even the table of migrations.
pub(crate) async fn read(connection: &mut PgConnection) -> Result<Schema, CliError> {
    let (applied, unfinished) = applied(connection).await?;
    let ours = migrations::MIGRATOR.iter().map(|ours| {
        let state = match applied.get(&ours.version) {
            None => Standing::Pending,
            Some(_) if unfinished == Some(ours.version) => Standing::Unfinished,
            Some(checksum) if *checksum == *ours.checksum => Standing::Applied,
            Some(_) => Standing::Changed,
        };
        let description = Some(ours.description.to_string());
        MigrationStanding {
            version: ours.version,
            description,
            state,
        }
    });
    let unknown = applied
        .keys()
        .filter(|version| !migrations::MIGRATOR.version_exists(**version));
    let unknown = unknown.map(|&version| MigrationStanding {
        version,
        description: None,
        state: if unfinished == Some(version) {
            Standing::Unfinished
        } else {
            Standing::Unknown
        },
    });
    let mut migrations: Vec<_> = ours.chain(unknown).collect();
    migrations.sort_by_key(|migration| migration.version);
    Ok(Schema {
        version: applied.keys().next_back().copied(),
        current: migrations
            .iter()
            .all(|migration| migration.state == Standing::Applied),
        migrations,
    })
}

/// The checksums of those that the database has, and the number of the one that has not ended: nothing
/// comes after it.
type Applied = (BTreeMap<i64, Vec<u8>>, Option<i64>);

async fn applied(connection: &mut PgConnection) -> Result<Applied, CliError> {
    let table = &migrations::MIGRATOR.table_name;
    let there = sqlx::query_scalar!(
        r#"SELECT to_regclass($1) IS NOT NULL AS "there!""#,
        table.as_ref()
    )
    .fetch_one(&mut *connection)
    .await?;
    if !there {
        return Ok((BTreeMap::new(), None));
    }
    let applied = connection.list_applied_migrations(table).await;
    let applied = applied.map_err(unread)?;
    let unfinished = connection.dirty_version(table).await.map_err(unread)?;
    let pair =
        |applied: sqlx::migrate::AppliedMigration| (applied.version, applied.checksum.to_vec());
    Ok((applied.into_iter().map(pair).collect(), unfinished))
}

fn unread(error: MigrateError) -> CliError {
    match error {
        MigrateError::Execute(source) => source.into(),
        other => CliError::bug("the table of migrations could not be read").caused_by(&other),
    }
}
