#![doc = include_str!("../README.md")]

mod clock;
mod derive;
mod document;
mod error;
mod reason;
mod row;
mod stages;
mod store;

#[cfg(feature = "cli")]
pub mod cli;

pub use document::{
    ClockKind, EndedBy, EndingStatus, EnvironmentStatus, ExamClockStatus, ExamStatus,
    ExtensionStatus, ReasonStatus, Stage, StageName, StageState, StatusDocument,
};
pub use error::StatusError;
pub use store::{Revision, revisions, status};
