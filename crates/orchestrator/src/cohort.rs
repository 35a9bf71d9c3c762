//! One decision for every live session of an exam: more time, time given back, or the end.
//!
//! Each session is a transaction of its own, so that nobody waits for the rest and whatever stops a
//! run leaves whole sessions behind it. The same request again goes on where it stopped.

mod compensation;
mod end;
mod error;
mod extension;
mod members;
mod visit;

pub use compensation::{CohortCompensation, compensate_cohort};
pub use end::{CohortEnd, end_cohort};
pub use error::CohortError;
pub(crate) use extension::grant;
pub use extension::{CohortExtension, extend_cohort};
pub use visit::{CohortOutcome, CohortReport, CohortVisit};

/// The live sessions of an exam.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// The exam.
    pub exam_name: String,
    /// Only sessions of this version of it; `None` means any.
    pub exam_version: Option<i32>,
}

/// Whether anybody has agreed to what a cohort is about to undergo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nobody has: each session's transaction is rolled back, so that what is told is what would be
    /// and nothing is written.
    Rehearsal,
    /// To as many live sessions. If there are more or fewer by now, nothing is written.
    Sessions(usize),
}
