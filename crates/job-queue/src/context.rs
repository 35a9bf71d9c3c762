//! What a handler knows about its run, and how it writes the run's end itself.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use session_identity::{ExamSessionId, JobId, WorkerIncarnation};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    JobState, Outcome,
    claim::{ClaimedJob, WorkerIdentity, exchange},
    finish::{Finish, Finished},
    job::JobKind,
    outcome::StoredOutcome,
    terms::ClaimTerms,
};

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// An operator asked for the job to be cancelled.
    Requested,
    /// Another worker may own the job by now; nothing this run writes will be accepted.
    LeaseLost,
    /// The kind's time limit has passed.
    Deadline,
    /// The worker stops; the job goes back without an attempt being charged.
    Shutdown,
}

/// One run of one job.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The job.
    pub job_id: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// Counted runs including this one; the first is 1.
    pub attempt: i32,
    /// Counted runs before the job is dead.
    pub max_attempts: i32,
    /// This run's fencing token, larger than that of every earlier run of the job.
    pub run_token: i64,
    /// Earlier runs that ended without an answer.
    pub crash_count: i32,
    /// The worker that runs it.
    pub worker: WorkerIncarnation,
    /// The session the job is about, if its kind names one.
    pub session_id: Option<ExamSessionId>,
    /// The W3C `traceparent` of whoever enqueued the job: to link to, not to be a child of.
    pub traceparent: Option<String>,
    /// Cancelled when the run should stop: see [`JobContext::cancel_reason`].
    pub cancellation: CancellationToken,
    /// The queue that it was claimed from.
    pub(crate) queue: Arc<str>,
    course: Arc<Course>,
    worker_name: Arc<str>,
}

/// An end that a handler wrote itself; it counts once its transaction has committed.
#[derive(Clone, Debug)]
pub(crate) struct RecordedEnd {
    pub(crate) outcome: StoredOutcome,
    pub(crate) state: JobState,
}

/// What has happened to a run so far; every clone of its context shares it.
#[derive(Debug, Default)]
struct Course {
    cancel_reason: OnceLock<CancelReason>,
    recorded: OnceLock<RecordedEnd>,
    ended_at: OnceLock<Instant>,
}

impl JobContext {
    pub(crate) fn new(claimed: &ClaimedJob, kind: JobKind, worker: &WorkerIdentity) -> Self {
        Self {
            job_id: claimed.job_id,
            kind,
            attempt: claimed.attempt,
            max_attempts: claimed.max_attempts,
            run_token: claimed.run_token,
            crash_count: claimed.crash_count,
            worker: worker.incarnation,
            session_id: claimed.session_id,
            traceparent: claimed.traceparent.clone(),
            cancellation: CancellationToken::new(),
            queue: claimed.queue.as_str().into(),
            course: Arc::default(),
            worker_name: worker.name.clone(),
        }
    }

    /// Says why the run should stop; `None` while it should not. The first reason stays.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.course.cancel_reason.get().copied()
    }

    /// Says whether this run is the last that counts, so that a retry would end the job.
    pub const fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Cancels the token; a reason given earlier stays.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        self.course.cancel_reason.get_or_init(|| reason);
        self.cancellation.cancel();
    }

    /// The end that the handler's own record wrote, if its transaction committed.
    pub(crate) fn recorded_end(&self) -> Option<&RecordedEnd> {
        self.course.recorded.get()
    }

    /// Notes that the run has ended and only its answer is under way.
    pub(crate) fn note_end(&self) {
        self.course.ended_at.get_or_init(Instant::now);
    }

    /// Says since when the run's end has waited for its answer.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.course.ended_at.get().copied()
    }

    /// Says whether the table may hold the run's end before the worker knows of it.
    pub(crate) fn may_have_ended(&self) -> bool {
        self.ended_at().is_some() || self.recorded_end().is_some()
    }

    /// Writes the outcome in the caller's transaction, so that it commits together with what the
    /// handler did to its own tables. The handler then returns [`Outcome::AlreadyRecorded`].
    ///
    /// # Errors
    /// [`RecordError::StaleRun`] if this run no longer owns the job: roll back, nothing it did
    /// counts. [`RecordError::Database`] if the database refused.
    pub async fn record(
        &self,
        connection: &mut PgConnection,
        outcome: &Outcome,
    ) -> Result<Recorded, RecordError> {
        let worker = WorkerIdentity {
            incarnation: self.worker,
            name: self.worker_name.clone(),
        };
        let outcome = StoredOutcome::new(outcome, self.attempt);
        let finish = Finish {
            job_id: self.job_id,
            run_token: self.run_token,
            outcome: outcome.clone(),
        };
        let terms = ClaimTerms::finish_only();
        let answer = exchange(connection, &worker, &terms, &[finish], 0).await?;
        match answer.finished.first() {
            Some(Finished::Recorded(state)) => {
                let state = *state;
                let end = RecordedEnd { outcome, state };
                self.course.recorded.get_or_init(|| end);
                Ok(Recorded { state })
            }
            Some(Finished::Stale) | None => Err(RecordError::StaleRun {
                job_id: self.job_id,
                run_token: self.run_token,
            }),
        }
    }
}

/// What [`JobContext::record`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The job's state once the caller commits; a retry of the last attempt reads `dead`.
    pub state: JobState,
}

/// Why an outcome was not written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later run, a cancel or an operator has the job now.
    #[error("record the outcome of job {job_id}: run {run_token} no longer owns it")]
    StaleRun {
        /// The job.
        job_id: JobId,
        /// The token that was refused.
        run_token: i64,
    },
    /// The database refused.
    #[error("record the outcome of a job")]
    Database(#[from] sqlx::Error),
}
