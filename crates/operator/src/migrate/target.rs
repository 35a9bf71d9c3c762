//! Up to which migration, and what that would apply.

use command_line::{CliError, Document, counted};
use serde_json::json;
use sqlx::PgConnection;

use super::read;

/// Gives the migration to stop after: the last one where none is named.
///
/// # Errors
/// A usage error for `to`, where there is no such migration.
pub(super) fn known(to: Option<i64>) -> Result<i64, CliError> {
    let Some(to) = to else {
        return Ok(newest());
    };
    if versions().any(|version| version == to) {
        return Ok(to);
    }
    let refused = CliError::usage("to", format!("there is no migration {to}"));
    Err(refused.next("name one of carrel migrate status"))
}

/// Gives the last migration that this binary knows.
pub(crate) fn newest() -> i64 {
    versions().max().unwrap_or_default()
}

fn versions() -> impl Iterator<Item = i64> {
    let known = migrations::MIGRATOR.iter();
    known.map(|migration| migration.version)
}

/// Says which migrations would be applied, and writes nothing.
pub(super) async fn preview(
    connection: &mut PgConnection,
    target: i64,
) -> Result<Document, CliError> {
    let schema = read(connection).await?;
    let missing = schema.pending_to(target);
    let count = counted(missing.len(), "migration");
    let lines = missing.iter().map(ToString::to_string);
    let lines = std::iter::once(format!("would apply {count}")).chain(lines);
    let text = lines.collect::<Vec<_>>().join("\n");
    let data = json!({ "would_apply": missing, "version": schema.version });
    Ok(Document::new("carrel/migrate-preview.v1", data).with_text(text))
}
