//! Why an operator's act is refused.

use chrono::{DateTime, Utc};
use session_identity::{JobId, WorkerIncarnation};

use super::JobPrefix;
use crate::{EnqueueError, LARGEST_BACKFILL, OperationId};

/// Why an operator's act was refused.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no such job (any more).
    #[error("find job {id}")]
    NotFound {
        /// The id asked for.
        id: JobId,
    },
    /// No job's id begins so.
    #[error("find a job whose id begins with {prefix}")]
    NoneBegins {
        /// The beginning.
        prefix: JobPrefix,
    },
    /// Several jobs' ids begin so.
    #[error("find the job whose id begins with {prefix}: there are several")]
    JobAmbiguous {
        /// The beginning.
        prefix: JobPrefix,
        /// Up to five of them, newest first.
        candidates: Vec<JobId>,
    },
    /// There is no such operation.
    #[error("find operation {operation}")]
    OperationNotFound {
        /// The id asked for.
        operation: OperationId,
    },
    /// More jobs would be changed by now than the operator saw.
    #[error("change {expected} {}: it would be {found} by now", jobs(*expected))]
    SetHasGrown {
        /// As many as were expected.
        expected: i64,
        /// As many as it would be.
        found: i64,
    },
    /// There is no such schedule; workers make them at their first tick.
    #[error("find the schedule {name}")]
    ScheduleNotFound {
        /// The name asked for.
        name: String,
    },
    /// What this schedule does must go on whatever an operator thinks of it.
    #[error("pause the schedule {name}: it never pauses")]
    ScheduleNeverPauses {
        /// The name asked for.
        name: String,
    },
    /// A pause of a schedule ends by itself within an hour.
    #[error("pause a schedule: for an hour at most")]
    PauseTooLong,
    /// Nothing lies between the ends of the window.
    #[error("backfill a schedule: the window ends before it begins")]
    WindowEmpty,
    /// What is not over cannot have been missed.
    #[error("backfill a schedule: the window ends after now, which is {now}")]
    WindowNotPast {
        /// The database's now.
        now: DateTime<Utc>,
    },
    /// More ticks than one backfill may ask for.
    #[error("backfill a schedule: more than {LARGEST_BACKFILL} ticks were missed in the window")]
    BackfillTooLarge,
    /// No worker has this incarnation, and none that lives this name.
    #[error("find the worker {name}")]
    WorkerNotFound {
        /// The incarnation or name asked for.
        name: String,
    },
    /// Several workers live under one name.
    #[error("find the worker {name}: {} of that name live", incarnations.len())]
    WorkerAmbiguous {
        /// The name asked for.
        name: String,
        /// Each of them, newest first.
        incarnations: Vec<WorkerIncarnation>,
    },
    /// The job's state does not allow it.
    #[error("{verb} job {id}: it is {state}")]
    Refused {
        /// What was asked.
        verb: &'static str,
        /// The job.
        id: JobId,
        /// Its state, one of [`crate::JobState`]'s words.
        state: String,
    },
    /// Another live job has the same deduplication key.
    #[error("retry job {id}: job {holder} is live with the same key")]
    KeyTaken {
        /// The job.
        id: JobId,
        /// The job that has the key.
        holder: JobId,
    },
    /// The job of an operation was not taken.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database refused.
    #[error("act on a job")]
    Database(#[from] sqlx::Error),
}

fn jobs(count: i64) -> &'static str {
    if count == 1 { "job" } else { "jobs" }
}
