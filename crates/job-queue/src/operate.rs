//! What operators see and do. Every write leaves a row in `job_actions`.

mod act;
mod drain;
mod evict;
mod explain;
mod fence;
mod read;

pub(crate) use act::append_action;
pub use act::{
    ActionOutcome, JobAction, JobActionRecord, OperateError, cancel_job, job_actions, retry_job,
    snooze_job,
};
pub use drain::{drain_worker, find_worker, undrain_worker};
pub use evict::evict_worker;
pub use explain::{WhyNotRunning, why_not_running};
pub use fence::{AfterKill, kill_job};
pub use read::{
    AttemptRecord, JobCount, JobFilter, JobRecord, count_jobs, job_attempts, list_jobs, load_job,
};
