//! What to look for in what goes to and from PostgreSQL.

use sqlx::types::Uuid;
pub(crate) use system_tests::fault_proxy::holds;

/// Whether a request tells the end of one of these jobs: it holds the job's id, as a heartbeat
/// does, and the outcome.
pub(crate) fn ends_any(request: &[u8], ids: &[Uuid]) -> bool {
    holds(request, b"done") && ids.iter().any(|id| holds(request, id.as_bytes()))
}
