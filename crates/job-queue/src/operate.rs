//! What operators see and do. Every write leaves a row in `job_actions`.

mod act;
mod count;
mod dead;
mod drain;
mod error;
mod evict;
mod explain;
mod fence;
mod filter;
mod flow;
mod prefix;
mod read;
mod signed;

pub(crate) use act::append_action;
pub use act::{
    ActionOutcome, JobAction, JobActionRecord, cancel_job, job_actions, retry_job, retry_job_after,
    snooze_job,
};
#[cfg(feature = "cli")]
pub(crate) use count::FitCounts;
pub(crate) use count::count_fitting;
pub use count::{CountBy, JobCount, count_jobs};
pub use dead::{DeadGroup, list_dead_groups};
pub use drain::{drain_worker, find_worker, undrain_worker, workers_named};
pub use error::OperateError;
#[cfg(feature = "cli")]
pub(crate) use evict::{CLAIM_LASTS, have_ended, last_transaction};
pub use evict::{evict_worker, preview_eviction};
pub use explain::{WhyNotRunning, why_not_running};
pub use fence::{AfterKill, kill_job};
pub use filter::{JobFilter, database_now, find_pattern_fault};
pub use flow::{QueueFlow, queue_flows};
pub use prefix::{JobPrefix, find_job};
pub use read::{
    AttemptRecord, JobRecord, export_jobs, job_attempts, jobs_of_worker, list_jobs, load_job,
};
pub use signed::{SignedAction, SignedFilter, list_signed_actions};
