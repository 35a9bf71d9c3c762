#![doc = include_str!("../README.md")]

mod deadline;
mod due;
mod error;
mod no_show;
mod plan;
mod policy;
mod pseudonyms;
mod records;
mod store;
mod survey;

#[cfg(feature = "cli")]
pub mod cli;

pub use deadline::{Deadline, DeadlineKind, Verdict, ending_kind, judge, next_deadline};
pub use due::{Expired, expire_due, preview_due};
pub use error::SweepError;
pub use no_show::{end_no_shows, find_no_shows, no_show_at};
pub use plan::{
    Deletion, DeletionCause, KnownSession, ListedEnvironment, Orphan, OrphanCause, Refusal,
    SweepInput, SweepPlan, plan,
};
pub use policy::{ExpiryPolicy, OrphanDecision};
pub use pseudonyms::{
    NoGoodSecret, PseudonymArgs, PseudonymCounts, PseudonymPolicy, count_named, pseudonymise_old,
};
pub use records::{
    RecordArgs, RecordCounts, RecordRetention, count_old_records, remove_old_records,
};
pub use store::{
    any_session, database_now, find_unclaimed, find_unconfirmed_teardowns, is_teardown_pending,
    load_known_sessions,
};
pub use survey::{Survey, survey};
