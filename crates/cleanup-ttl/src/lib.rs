#![doc = include_str!("../README.md")]

mod deadline;
mod due;
mod error;
mod plan;
mod policy;
mod records;
mod store;
mod survey;

#[cfg(feature = "cli")]
pub mod cli;

pub use deadline::{Deadline, DeadlineKind, Verdict, ending_kind, judge, next_deadline};
pub use due::{Expired, expire_due, preview_due};
pub use error::SweepError;
pub use plan::{
    Deletion, DeletionCause, KnownSession, ListedEnvironment, Orphan, OrphanCause, Refusal,
    SweepInput, SweepPlan, plan,
};
pub use policy::{ExpiryPolicy, OrphanDecision};
pub use records::{
    RecordArgs, RecordCounts, RecordRetention, count_old_records, remove_old_records,
};
pub use store::{
    any_session, database_now, find_unconfirmed_teardowns, is_teardown_pending, load_known_sessions,
};
pub use survey::{Survey, survey};
