//! `carrel audit`: what people did, read from every library that keeps who did it.

mod args;
mod cursor;
mod entry;
mod sources;
mod text;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde_json::json;

pub use args::AuditArgs;

/// Shows who did what.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Lists what people did, newest first, one page at a time
    ///
    /// Sessions requested, advanced, extended and ended; jobs, queues, workers and schedules;
    /// environments created and destroyed by hand; exam versions and waivers. What Carrel did by itself is left out.
    List(AuditArgs),
}

impl RunCommand for AuditCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::List(args) => list(&args, globals).await,
        }
    }
}

async fn list(args: &AuditArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    // All sources are read as of one moment: what is written meanwhile is newer than the page.
    let mut transaction = globals.connect().await?.begin().await?;
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await?;
    let query = args.query(&mut transaction).await?;
    let mut page = sources::newest(&mut transaction, &query).await?;
    let is_full = page.len() >= query.limit;
    let next_cursor = page.last().filter(|_| is_full).map(entry::Found::cursor);
    entry::name_principals(&mut transaction, &mut page).await?;
    let entries: Vec<_> = page.into_iter().map(|found| found.entry).collect();
    let text = text::table(&entries, next_cursor.as_ref());
    let data = json!({ "entries": entries, "next_cursor": next_cursor });
    Ok(Document::new("operator/audit-list.v1", data).with_text(text))
}
