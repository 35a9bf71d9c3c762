//! Doing what was asked, or all of it but the commit.

use clap::Args;
use command_line::{CliError, Document, READ_LASTS, read_within, wait_briefly, write_within};
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

/// Does it in a transaction that waits for nobody for long, in which the change's own transactions are
/// savepoints, and tells how it is then: after the commit, since the rows that a change holds are asked
/// for by every claim. A dry run does the same and rolls it back, so that it is refused for the same
/// reasons; `ids` names what would change.
///
/// # Errors
/// Those of the change, of which nothing is left, and those of `tell`, before which it is done.
pub(super) async fn act<R>(
    connection: &mut PgConnection,
    rehearsal: RehearsalArgs,
    ids: &[String],
    change: impl AsyncFnOnce(&mut PgConnection) -> Result<R, CliError>,
    tell: impl AsyncFnOnce(&mut PgConnection, R) -> Result<Document, CliError>,
) -> Result<Document, CliError> {
    if !rehearsal.dry_run {
        let changed = write_within(connection, change).await?;
        // It is done whether or not anybody hears of it; workers also poll. Not within the transaction:
        // where nothing more can be notified, it could not be committed.
        notify_workers(connection).await.ok();
        let told = read_within(connection, READ_LASTS, async |it| tell(it, changed).await).await;
        return told
            .map_err(|error| error.next("it is changed; only telling how it is now failed"));
    }
    let mut transaction = connection.begin().await?;
    wait_briefly(&mut transaction).await?;
    let would_be = match change(&mut transaction).await {
        Ok(changed) => tell(&mut transaction, changed).await,
        Err(refused) => Err(refused),
    };
    transaction.rollback().await?;
    Ok(would_be?.as_preview(PREVIEW, ids))
}
