//! What a step of a use case can die of.

use session_lifecycle::ErrorClass;

/// A step failed below the use case: the database, or a row that nobody could have written.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A session could not be read.
    #[error("read a session")]
    Load(#[from] session_lifecycle::LoadError),
    /// A transition was not made.
    #[error("move a session")]
    Transition(#[from] session_lifecycle::TransitionError),
    /// An environment's row could not be read or written.
    #[error("read or write an environment")]
    Environment(#[from] execution_environment::StoreError),
    /// A job could not be enqueued.
    #[error("enqueue a job")]
    Enqueue(#[from] job_queue::EnqueueError),
    /// A job's outcome could not be recorded.
    #[error("record the outcome of a job")]
    Record(#[from] job_queue::RecordError),
    /// A sweep could not plan or expire.
    #[error("sweep")]
    Sweep(#[from] cleanup_ttl::SweepError),
    /// The runtime did not do what was asked.
    #[error("use the runtime")]
    Runtime(#[from] execution_environment::RuntimeError),
    /// The database failed.
    #[error("use the database")]
    Database(#[from] sqlx::Error),
}

impl StepError {
    /// Returns the class: exit codes and HTTP statuses derive from it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Load(error) => error.class(),
            Self::Transition(error) => error.class(),
            Self::Sweep(error) => error.class(),
            Self::Environment(execution_environment::StoreError::Database(error))
            | Self::Enqueue(job_queue::EnqueueError::Database(error))
            | Self::Record(job_queue::RecordError::Database(error))
            | Self::Database(error) => ErrorClass::of_database(error),
            Self::Runtime(error) if error.is_transient() => ErrorClass::Transient,
            Self::Record(job_queue::RecordError::StaleRun { .. })
            | Self::Enqueue(job_queue::EnqueueError::Contended { .. }) => ErrorClass::Conflict,
            Self::Environment(_) | Self::Enqueue(_) | Self::Runtime(_) => ErrorClass::Bug,
        }
    }

    /// Writes the whole chain, outermost first: what a job's history keeps.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// Writes an error and everything beneath it in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
