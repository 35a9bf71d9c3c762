//! A session named by its id or the beginning of it.

use command_line::CliError;
use session_identity::{ExamSessionId, IdPrefix};
use session_lifecycle::find_sessions;
use sqlx::PgConnection;

use super::failure;

/// As many candidates as an operator wants to read.
const CANDIDATES: i64 = 5;

/// Finds the one session whose id begins so. A whole id is returned whether or not there is such a
/// session.
///
/// # Errors
/// Not found, or a conflict that names the candidates.
pub(super) async fn find(
    conn: &mut PgConnection,
    prefix: &IdPrefix,
) -> Result<ExamSessionId, CliError> {
    let (first, last) = (prefix.first(), prefix.last());
    if first == last {
        return Ok(ExamSessionId::from_uuid(first));
    }
    let found = find_sessions(conn, prefix, CANDIDATES).await;
    match found.map_err(failure::load)?[..] {
        [] => Err(failure::none_begins(prefix)),
        [id] => Ok(id),
        ref candidates => Err(failure::ambiguous(prefix, candidates)),
    }
}
