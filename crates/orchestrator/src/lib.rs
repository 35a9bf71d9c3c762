#![doc = include_str!("../README.md")]

mod attach;
#[cfg(feature = "cli")]
pub mod cli;
mod cohort;
mod end;
mod error;
mod extend;
mod follow_up;
mod jobs;
mod measure;
mod request;
mod sweep;
mod verdict;
mod work;

pub use attach::{Admitted, AttachAttempt, AttachRefusal, admit_attach};
pub use cohort::{
    Cohort, CohortEnd, CohortError, CohortExtension, CohortOutcome, CohortReport, CohortVisit,
    Consent, end_cohort, extend_cohort,
};
pub use end::{EndError, EndRequest, EndedBy, end_session};
pub use error::StepError;
pub use extend::extend_session;
pub use jobs::{
    ActivateSession, DestroyEnvironment, ENVIRONMENT_QUEUE, ObserveEnvironment,
    ProvisionEnvironment, SESSION_QUEUE, TerminateSession,
};
pub use request::{RequestError, Requested, SessionRequest, request_session};
pub use sweep::{SweepLoop, SweepReport, Sweeps};
pub use verdict::{MAX_ATTEMPTS_PER_SESSION, Seen, Verdict, decide};
pub use work::{Workshop, registry};
