//! What to look for in what goes to and from PostgreSQL.

use sqlx::types::Uuid;

/// Whether bytes hold others.
pub(crate) fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether a request tells the end of one of these jobs: it holds the job's id, as a heartbeat
/// does, and the outcome.
pub(crate) fn ends_any(request: &[u8], ids: &[Uuid]) -> bool {
    holds(request, b"done") && ids.iter().any(|id| holds(request, id.as_bytes()))
}
