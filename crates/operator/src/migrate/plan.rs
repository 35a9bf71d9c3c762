//! What migrations say, for whoever applies them by other means or reads them first.

use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;

use super::read;

/// One migration with its statements.
#[derive(Debug, Serialize)]
struct Plan {
    version: i64,
    description: String,
    sql: String,
}

/// Prints the migrations that the database lacks or, without asking a database, all of them.
pub(super) async fn sql(globals: &GlobalArgs, all: bool) -> Result<Document, CliError> {
    let pending = if all {
        None
    } else {
        let mut connection = globals.connect().await?.acquire().await?;
        Some(read(&mut connection).await?.pending())
    };
    let is_wanted = |version| {
        let pending = pending.as_ref();
        pending.is_none_or(|pending| pending.contains(&version))
    };
    let plans: Vec<_> = migrations::MIGRATOR
        .iter()
        .filter(|migration| is_wanted(migration.version))
        .map(|migration| Plan {
            version: migration.version,
            description: migration.description.to_string(),
            sql: migration.sql.as_str().to_owned(),
        })
        .collect();
    let text = plans.iter().map(text).collect::<Vec<_>>().join("\n");
    let data = serde_json::json!({ "migrations": plans });
    Ok(Document::new("carrel/migrate-sql.v1", data).with_text(text))
}

fn text(plan: &Plan) -> String {
    let Plan {
        version,
        description,
        sql,
    } = plan;
    format!("-- {version} {description}\n{sql}\n")
}
