//! Has the environments of ended sessions destroyed where no job does it any more.

use cleanup_ttl::{ExpiryPolicy, find_unconfirmed_teardowns};
use job_queue::{Enqueued, enqueue};

use super::SweepReport;
use crate::{DestroyEnvironment, StepError, Workshop, follow_up::signed};

/// One pass over the rows alone: whether the runtime answers, and whether what it lists can be
/// believed, matters to the job and not here. An end enqueues the job itself; what is found here had
/// its job parked, cancelled or lost.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let mut enqueued = 0;
    for session_id in find_unconfirmed_teardowns(&mut connection, policy.batch).await? {
        let job = DestroyEnvironment { session_id };
        let answer = enqueue(&mut connection, &job, &signed("system:sweep", None)).await?;
        enqueued += usize::from(matches!(answer, Enqueued::New(_)));
    }
    if enqueued > 0 {
        workshop.waker.wake();
    }
    Ok(SweepReport {
        teardowns: enqueued,
        ..SweepReport::default()
    })
}
