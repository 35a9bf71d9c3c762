//! Closes attaches whose process has died.

use std::time::Duration;

use environment_access::close_silent_attachments;

use super::SweepReport;
use crate::{StepError, Workshop};

/// Terminal processes say every ten seconds that they live: this is four words missed.
const SILENT: Duration = Duration::from_secs(45);
/// As many as two processes serve.
const AT_ONCE: i64 = 8_000;

/// One pass. Nobody waits for it: whoever comes back takes the next epoch. It is what the ledger of
/// interruptions knows a death by.
pub(super) async fn sweep(workshop: &Workshop) -> Result<SweepReport, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let closed = close_silent_attachments(&mut connection, SILENT, AT_ONCE).await?;
    Ok(SweepReport {
        silent_attachments: closed,
        ..SweepReport::default()
    })
}
