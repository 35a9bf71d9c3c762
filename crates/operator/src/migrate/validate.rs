//! `carrel migrate validate`: whether the database is what its migrations would make.

use std::collections::BTreeMap;

use command_line::{CliError, Document, Exit};
use serde_json::json;
use sqlx::{Connection as _, PgConnection, error::DatabaseError, migrate::MigrateError};

use super::{read, refused};

/// What the migrations are applied to, inside a transaction that is rolled back.
const EXPECTED: &str = "carrel_expected";
const NO_RIGHT: &str = "42501";

/// Every column, index, constraint, function and trigger of a schema, and what each is.
type Objects = BTreeMap<String, String>;

/// Compares what the database has with what this binary's migrations make of an empty one.
pub(super) async fn validate(connection: &mut PgConnection) -> Result<Document, CliError> {
    let schema = read(connection).await?;
    let mut findings = schema.differences();
    let mut extra = Vec::new();
    if findings.is_empty() {
        let live = live_objects(connection).await?;
        let expected = expected_objects(connection).await?;
        findings = differences(&expected, &live);
        let unknown = live.keys().filter(|name| !expected.contains_key(*name));
        extra = unknown.cloned().collect();
    }
    let exit = if findings.is_empty() {
        Exit::Ok
    } else {
        Exit::Unhealthy
    };
    let text = text(&findings, &extra);
    let data = json!({ "version": schema.version, "findings": findings, "extra": extra });
    Ok(Document::new("carrel/migrate-validate.v1", data)
        .with_text(text)
        .with_exit(exit))
}

fn differences(expected: &Objects, live: &Objects) -> Vec<String> {
    let finding = |(name, definition): (&String, &String)| match live.get(name) {
        None => Some(format!("{name} is missing")),
        Some(found) if found != definition => {
            Some(format!("{name} is {found:?} and should be {definition:?}"))
        }
        Some(_) => None,
    };
    expected.iter().filter_map(finding).collect()
}

fn text(findings: &[String], extra: &[String]) -> String {
    if findings.is_empty() && extra.is_empty() {
        return "the schema is as its migrations make it".to_owned();
    }
    let extra = extra.iter().map(|name| format!("{name} is not ours"));
    let lines = findings.iter().cloned().chain(extra);
    lines.collect::<Vec<_>>().join("\n")
}

async fn live_objects(connection: &mut PgConnection) -> Result<Objects, CliError> {
    let schema = sqlx::query_scalar!(r#"SELECT current_schema()::text AS "schema!""#);
    let schema = schema.fetch_one(&mut *connection).await?;
    Ok(objects(connection, &schema).await?)
}

/// Applies every migration to a schema of its own and rolls it back.
async fn expected_objects(connection: &mut PgConnection) -> Result<Objects, CliError> {
    let mut transaction = connection.begin().await?;
    sqlx::query!("CREATE SCHEMA carrel_expected")
        .execute(&mut *transaction)
        .await
        .map_err(not_allowed)?;
    sqlx::query!("SET LOCAL search_path = carrel_expected")
        .execute(&mut *transaction)
        .await?;
    let mut migrator =
        sqlx::migrate::Migrator::with_migrations(migrations::MIGRATOR.iter().cloned().collect());
    migrator.set_locking(false);
    let applied: Result<(), MigrateError> = migrator.run(&mut *transaction).await;
    applied.map_err(refused)?;
    let expected = objects(&mut transaction, EXPECTED).await?;
    transaction.rollback().await?;
    Ok(expected)
}

fn not_allowed(error: sqlx::Error) -> CliError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    if code.is_none_or(|code| code != NO_RIGHT) {
        return error.into();
    }
    CliError::denied("this role may not make the schema to compare with")
        .code("migrate.no_right")
        .next("use the role that migrates")
}

async fn objects(connection: &mut PgConnection, schema: &str) -> Result<Objects, sqlx::Error> {
    let rows = sqlx::query_file!("queries/list_schema_objects.sql", schema)
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.definition))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(pairs: &[(&str, &str)]) -> Objects {
        let own = |(name, what): &(&str, &str)| ((*name).to_owned(), (*what).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn what_is_missing_or_other_is_a_finding_and_what_is_more_is_not() {
        let expected = objects(&[("index a", "x"), ("index b", "x"), ("index c", "x")]);
        let live = objects(&[("index a", "x"), ("index b", "y"), ("index d", "x")]);
        assert_eq!(
            differences(&expected, &live),
            ["index b is \"y\" and should be \"x\"", "index c is missing"]
        );
    }
}
