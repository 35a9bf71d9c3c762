//! A run's end on its way to the table.

use session_identity::JobId;

use crate::{JobState, outcome::StoredOutcome};

/// One run's outcome with the token that fences it.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) job_id: JobId,
    pub(crate) run_token: i64,
    pub(crate) outcome: StoredOutcome,
}

/// What the table answered to one [`Finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// Written; the job is in this state now.
    Recorded(JobState),
    /// The run no longer owns the job. Reported, never tried again.
    Stale,
}
