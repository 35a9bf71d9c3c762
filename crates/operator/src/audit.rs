//! `carrel audit`: what people did, read from every library that keeps who did it.

mod args;
mod cursor;
mod entry;
mod failure;
mod list;
mod sources;

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};

pub use args::AuditArgs;
use entry::Found;
use list::LIST;

/// Shows who did what.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Lists what people did, newest first, one page at a time
    ///
    /// Sessions requested, advanced, extended and ended; jobs, queues, workers and schedules;
    /// environments created and destroyed by hand; exam versions and waivers. What Carrel did by itself
    /// is left out.
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
    // All sources are read as of one moment: what is written meanwhile is newer than every page.
    let mut transaction = globals.connect().await?.begin().await?;
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await?;
    let query = args.query(&mut transaction).await?;
    let read = async |last: Option<&Found>, limit| {
        let query = query.after(last.map(Found::cursor));
        let mut page = sources::newest(&mut transaction, &query, limit).await?;
        entry::name_principals(&mut transaction, &mut page).await?;
        Ok(page)
    };
    LIST.paged(globals, &args.paged, "--cursor", read).await
}
