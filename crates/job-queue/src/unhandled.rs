//! Jobs that nobody can do: their kind was removed, or a later build's payload was left behind.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{job::millis, measure, workers::WORKER_LIVE_SECONDS};

/// When a job counts as one that nobody can do.
#[derive(Clone, Copy, Debug)]
pub struct Unhandled {
    /// Due for this long, and for as long no worker was seen that reads its kind and version. Longer
    /// than any deployment takes: the worker that can do it may still be on its way.
    pub after: Duration,
    /// Jobs parked by one statement.
    pub batch: i64,
}

impl Default for Unhandled {
    fn default() -> Self {
        Self {
            after: Duration::from_hours(24),
            batch: 2_000,
        }
    }
}

/// Parks jobs that nobody can do as dead with class `no_handler`, at most a batch. No attempt is
/// charged, `job_actions` says why, and a retry has another try. Returns how many.
///
/// A queue that no live worker serves is left alone: there nothing is known of what its workers
/// read, and an outage is no reason to give up jobs.
///
/// # Errors
/// Whatever the database says.
pub async fn park_unhandled(
    connection: &mut PgConnection,
    unhandled: &Unhandled,
) -> Result<u64, sqlx::Error> {
    let parked = sqlx::query_file_scalar!(
        "queries/park_unhandled.sql",
        millis(unhandled.after),
        unhandled.batch,
        WORKER_LIVE_SECONDS,
    )
    .fetch_one(connection)
    .await?
    .unsigned_abs();
    if parked > 0 {
        tracing::error!(parked, "parked jobs that no worker reads");
    }
    measure::unhandled(parked);
    Ok(parked)
}
