//! Doing what was asked, or all of it but the commit.

use clap::Args;
use command_line::{CliError, Document};
use sqlx::{Connection as _, PgConnection};

pub(super) const PREVIEW: &str = "job-queue/preview.v1";

/// Whether anything changes.
#[derive(Args, Clone, Copy, Debug)]
pub struct RehearsalArgs {
    /// Says what would change, by the same statements in a transaction that is rolled back.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Does it. A dry run does the same within a transaction that is rolled back, in which the act's own
/// transactions are savepoints, so that it is refused for the same reasons; `ids` names what would change.
///
/// # Errors
/// Those of the act.
pub(super) async fn act(
    connection: &mut PgConnection,
    rehearsal: RehearsalArgs,
    ids: &[String],
    act: impl AsyncFnOnce(&mut PgConnection) -> Result<Document, CliError>,
) -> Result<Document, CliError> {
    if !rehearsal.dry_run {
        return act(connection).await;
    }
    let mut transaction = connection.begin().await?;
    let would_be = act(&mut transaction).await;
    transaction.rollback().await?;
    Ok(would_be?.as_preview(PREVIEW, ids))
}
