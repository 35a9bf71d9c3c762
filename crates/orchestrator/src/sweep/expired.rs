//! Ends what is due.

use cleanup_ttl::{ExpiryPolicy, expire_due};
use session_identity::Actor;
use session_lifecycle::{Cause, Provenance};

use super::SweepReport;
use crate::{
    StepError, Workshop,
    follow_up::{after_end, signed},
};

/// Terminates every due session of one batch, with what follows, in one transaction.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let by = Provenance {
        actor: Actor::System("sweep"),
        cause: Cause::new("sweep:expired"),
        job_id: None,
        trace: None,
    };
    let mut transaction = workshop.pool.begin().await?;
    let expired = expire_due(&mut transaction, policy, &by).await?;
    for ended in &expired {
        after_end(
            &mut transaction,
            ended.session.id,
            &signed("system:sweep", None),
        )
        .await?;
    }
    transaction.commit().await?;
    if !expired.is_empty() {
        workshop.waker.wake();
    }
    Ok(SweepReport {
        expired: expired.len(),
        ..SweepReport::default()
    })
}
