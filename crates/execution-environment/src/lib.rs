#![doc = include_str!("../README.md")]

mod error;
mod exam;
mod isolation;
mod runtime;
mod scratch;
mod spec;
mod store;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "engine")]
pub mod engine;

pub use error::{ApplyError, RuntimeError, StoreError};
pub use exam::{ClockPolicy, ExamDefinition, ExamUser, FieldError, Limits, Recording};
pub use isolation::{
    Admitted, DESCRIPTORS, IsolationGap, IsolationReport, PROCESSES_PER_USER, Protection, judge,
};
pub use runtime::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, Listed, Observation,
    Observed, Phase,
};
pub use scratch::{ScratchVolume, scratch_volumes};
pub use spec::{EnvironmentSpec, OwnerLabels, RuntimeKind, RuntimeName, RuntimeUid, UserHash};
pub use store::{
    Applied, EnvironmentRecord, EnvironmentState, ExamRecord, ExamSummary, Sighting, apply_exam,
    begin_attempt, begin_destroy, count_not_gone, find_not_gone, forget_sightings,
    insert_environment, install_id, list_exams, load_environment, load_environments, load_exam,
    record_created, record_gone, record_signal, record_snapshot, record_up, sight_orphan,
};
