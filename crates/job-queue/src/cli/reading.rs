//! Reads that an operator waits for.

use command_line::{CliError, READ_LASTS, read_within};
use sqlx::PgConnection;

/// What serves a filter without looking at every job there is.
const INDEXED: &str = "narrow it by what an index serves: --session, --id-file, or --queue with \
                       --state ready, running or dead";

/// Reads jobs, for ten seconds at most: what takes longer reads every job there is, beside those at work.
///
/// # Errors
/// Those of `read`; what took too long says which filters are served by an index.
pub(super) async fn read_in_time<R>(
    connection: &mut PgConnection,
    read: impl AsyncFnOnce(&mut PgConnection) -> Result<R, sqlx::Error>,
) -> Result<R, CliError> {
    let read = read_within(connection, READ_LASTS, read).await;
    read.map_err(|error| match CliError::from(error) {
        slow if slow.code == CliError::TOO_SLOW => slow.next(INDEXED),
        other => other,
    })
}
