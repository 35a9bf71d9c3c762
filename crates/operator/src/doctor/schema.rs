//! Whether the database is Carrel's, as this binary knows it.

use command_line::CliError;
use execution_environment::install_id;
use sqlx::PgConnection;

use super::report::Check;
use crate::migrate::read;

pub(super) async fn current(connection: &mut PgConnection) -> Result<Check, CliError> {
    let schema = read(connection).await?;
    let good = format!("at {}", schema.version.unwrap_or_default());
    let differences = schema.differences();
    Ok(Check::of_findings(
        "schema",
        &good,
        &differences,
        "carrel migrate status, then carrel migrate up",
    ))
}

/// Gives the statements of the migrations that the database lacks, each under its number.
pub(super) async fn missing(connection: &mut PgConnection) -> Result<Vec<String>, CliError> {
    let pending = read(connection).await?.pending();
    let ours = migrations::MIGRATOR.iter();
    let missing = ours.filter(|migration| pending.contains(&migration.version));
    let statements = missing.map(|migration| {
        let (version, sql) = (migration.version, migration.sql.as_str());
        format!("-- {version} {}\n{sql}", migration.description)
    });
    Ok(statements.collect())
}

pub(super) async fn installation(connection: &mut PgConnection) -> Result<Check, CliError> {
    Ok(match install_id(connection).await {
        Ok(id) => Check::ok("installation", id.to_string()),
        Err(error) => Check::bad(
            "installation",
            error.to_string(),
            "restore the one row of the table installation from a backup: environments carry its id",
        ),
    })
}
