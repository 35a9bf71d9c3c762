//! Removes what has been over for long.

use std::time::Duration;

use cleanup_ttl::{RecordRetention, remove_old_records};
use environment_access::delete_stale_tickets;
use job_queue::{Retention, apply_retention};

use super::SweepReport;
use crate::{StepError, Workshop, measure};

/// A ticket ends within a minute; a day later nobody asks any more why one was refused.
const TICKETS_KEPT: Duration = Duration::from_hours(24);
/// More than all candidates of a large exam ask for between two passes.
const TICKETS_AT_ONCE: i64 = 50_000;

/// One pass over the queue's own tables, the tickets, the access log and the keys of requests. What
/// sessions and environments leave behind stays: it is the record of an exam.
pub(super) async fn sweep(
    workshop: &Workshop,
    retention: &Retention,
    records: &RecordRetention,
) -> Result<SweepReport, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let removed = apply_retention(&mut connection, retention).await?;
    let tickets = delete_stale_tickets(&mut connection, TICKETS_KEPT, TICKETS_AT_ONCE).await?;
    let records = remove_old_records(&mut connection, records).await?;
    measure::records_removed(&records);
    Ok(SweepReport {
        removed_missed_ticks: removed.missed_ticks,
        removed_access_lines: records.access_log,
        removed_request_keys: records.idempotency_keys,
        removed_tickets: tickets,
        removed_jobs: removed.jobs,
        removed_days: removed.days,
        removed_workers: removed.workers,
        ..SweepReport::default()
    })
}
