//! Every SQL statement of this crate.
//!
//! Functions take a connection, so the caller owns the transaction.

mod actions;
mod applied;
mod destruction;
mod environments;
mod exams;
mod hanging;
mod installation;
mod proofs;
mod pseudonym;
mod record;
#[cfg(feature = "cli")]
mod sessions;
mod sightings;
mod signed;
mod trials;
mod waivers;

pub use actions::{
    EnvironmentAction, SignedActionFilter, SignedEnvironmentAction, list_environment_actions,
    record_environment_action,
};
pub use applied::{Applied, apply_exam, find_applied};
pub use destruction::{begin_destroy, record_gone, record_snapshot};
pub use environments::{
    begin_attempt, count_not_gone, find_not_gone, insert_environment, load_environment,
    load_environments, record_created, record_signal, record_up,
};
pub use exams::{ExamRecord, ExamSummary, list_exams, load_exam, load_latest_exams};
pub use hanging::{record_cleanup_blocked, record_forced};
pub use installation::install_id;
pub use proofs::{Proof, find_newest_proof};
pub use pseudonym::{count_named_environments, pseudonymise_environments};
pub use record::{CleanupBlock, EnvironmentRecord, EnvironmentState};
#[cfg(feature = "cli")]
pub(crate) use sessions::{SessionFacts, load_session_facts};
pub use sightings::{Sighting, forget_sightings, sight_orphan, sightings};
pub use signed::{SignedDeclaration, SignedFilter, list_signed_declarations};
pub(crate) use trials::{TrialFacts, load_trial_facts};
pub use waivers::{IsolationWaiver, find_valid_waiver, grant_waiver, list_waivers, revoke_waiver};
