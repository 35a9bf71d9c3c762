//! Doing what was asked, or all of it but the commit.

use clap::Args;
use command_line::{CliError, Document, write_within};
use sqlx::{Connection as _, PgConnection};

use crate::notify_workers;

pub(super) const PREVIEW: &str = "job-queue/preview.v1";

/// Whether anything changes.
#[derive(Args, Clone, Copy, Debug)]
pub struct RehearsalArgs {
    /// Says what would change, by the same statements in a transaction that is rolled back.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Does it in a transaction that waits for nobody for long, in which the act's own transactions are
/// savepoints. A dry run does the same and rolls it back, so that it is refused for the same reasons; `ids`
/// names what would change.
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
        let done = write_within(connection, act).await?;
        // It is done whether or not anybody hears of it; workers also poll. Not within the transaction:
        // where nothing more can be notified, it could not be committed.
        notify_workers(connection).await.ok();
        return Ok(done);
    }
    let mut transaction = connection.begin().await?;
    let would_be = act(&mut transaction).await;
    transaction.rollback().await?;
    Ok(would_be?.as_preview(PREVIEW, ids))
}
