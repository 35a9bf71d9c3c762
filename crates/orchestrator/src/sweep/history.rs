//! Removes what has been over for long.

use job_queue::{Retention, apply_retention};

use super::SweepReport;
use crate::{StepError, Workshop};

/// One pass over the queue's own tables. What sessions and environments leave behind stays: it is
/// the record of an exam.
pub(super) async fn sweep(
    workshop: &Workshop,
    retention: &Retention,
) -> Result<SweepReport, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let removed = apply_retention(&mut connection, retention).await?;
    Ok(SweepReport {
        removed_jobs: removed.jobs,
        removed_days: removed.days,
        removed_workers: removed.workers,
        ..SweepReport::default()
    })
}
