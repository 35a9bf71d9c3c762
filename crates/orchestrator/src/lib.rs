#![doc = include_str!("../README.md")]

mod attach;
#[cfg(feature = "cli")]
pub mod cli;
mod cohort;
mod compensate;
mod end;
mod error;
mod extend;
mod follow_up;
mod jobs;
mod measure;
mod read_on;
mod request;
mod sweep;
mod verdict;
mod work;

pub use attach::{Admitted, AttachAttempt, AttachRefusal, WantedRecording, admit_attach};
pub use cohort::{
    Cohort, CohortCompensation, CohortEnd, CohortError, CohortExtension, CohortOutcome,
    CohortReport, CohortVisit, Consent, compensate_cohort, end_cohort, extend_cohort,
};
pub use compensate::{Compensation, Debt, compensate_session, is_compensation};
pub use end::{EndError, EndRequest, EndedBy, end_session, rehearse_end};
pub use error::StepError;
pub use extend::{extend_session, rehearse_extension};
pub use jobs::{
    ActivateSession, DestroyEnvironment, ENVIRONMENT_QUEUE, ObserveEnvironment,
    ProvisionEnvironment, SESSION_QUEUE, TerminateSession,
};
pub use read_on::{UnreadShell, UnreadShells, take_unread_shells};
pub use request::{RequestError, Requested, SessionRequest, rehearse_request, request_session};
pub use sweep::{Sweep, SweepLoop, SweepReport, Sweeps, Unclaimed, unclaimed};
pub use verdict::{Seen, Verdict, decide};
pub use work::{Workshop, registry};
