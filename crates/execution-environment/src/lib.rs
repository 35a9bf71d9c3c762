#![doc = include_str!("../README.md")]

mod agreement;
mod error;
mod exam;
#[cfg(any(feature = "engine", feature = "kubernetes"))]
mod excerpt;
mod finding;
#[cfg(any(feature = "engine", feature = "kubernetes"))]
mod inside;
mod isolation;
#[cfg(all(test, feature = "engine", feature = "kubernetes"))]
mod recordings;
mod runtime;
#[cfg(feature = "runtimes")]
mod runtime_args;
mod runtime_health;
mod scratch;
mod spec;
mod store;
mod trial;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;

pub use agreement::{Difference, differences};
pub use error::{ApplyError, RuntimeError, StoreError};
pub use exam::{ClockPolicy, ExamDefinition, ExamUser, FieldError, Limits, Recording};
pub use finding::{Purpose, RuntimeFinding};
pub use isolation::{
    Admitted, AdmittedNetwork, DESCRIPTORS, IsolationGap, IsolationReport, PROCESSES_PER_USER,
    Protection, judge, needed_waiver,
};
pub use runtime::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, Listed, Observation,
    Observed, Phase,
};
#[cfg(feature = "runtimes")]
pub use runtime_args::{RuntimeArgs, RuntimeChoice, RuntimeConfigError};
pub use runtime_health::RuntimeHealth;
pub use scratch::{ScratchVolume, scratch_volumes};
pub use spec::{EnvironmentSpec, OwnerLabels, RuntimeKind, RuntimeName, RuntimeUid, UserHash};
pub use store::{
    Applied, CleanupBlock, EnvironmentAction, EnvironmentRecord, EnvironmentState, ExamRecord,
    ExamSummary, IsolationWaiver, Proof, Sighting, SignedActionFilter, SignedDeclaration,
    SignedEnvironmentAction, SignedFilter, apply_exam, begin_attempt, begin_destroy,
    count_named_environments, count_not_gone, find_applied, find_newest_proof, find_not_gone,
    find_valid_waiver, forget_sightings, grant_waiver, insert_environment, install_id,
    list_environment_actions, list_exams, list_signed_declarations, list_waivers, load_environment,
    load_environments, load_exam, load_latest_exams, pseudonymise_environments,
    record_cleanup_blocked, record_created, record_environment_action, record_forced, record_gone,
    record_signal, record_snapshot, record_up, revoke_waiver, sight_orphan, sightings,
};
pub use trial::{
    ExamBasis, TrialCheck, TrialError, TrialProof, clear_trials, prove_exam, trials_of,
};
