//! What can go wrong with a runtime or with a row.

use std::error::Error as StdError;

use failure_classification::{Phase, RetryRule, Signal, classify};

type Source = Box<dyn StdError + Send + Sync>;

/// Carries the signal of a failed call to a runtime, for [`classify`] to judge.
#[derive(Debug, thiserror::Error)]
#[error("{operation} environment: {}", .signal.kind())]
pub struct RuntimeError {
    /// The call, as a verb: `create`, `observe`, …
    pub operation: &'static str,
    /// What the runtime reported.
    pub signal: Signal,
    /// The client's own error, for the log.
    #[source]
    pub source: Option<Source>,
}

impl RuntimeError {
    /// Makes the error of an operation from what was observed.
    pub fn new(operation: &'static str, signal: Signal) -> Self {
        Self {
            operation,
            signal,
            source: None,
        }
    }

    /// Adds the client's own error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Tells whether the same call may succeed when it is repeated unchanged: the runtime was not
    /// reachable, did not answer in time or was overloaded.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.signal,
            Signal::RuntimeUnavailable { .. } | Signal::ImageSourceUnavailable { .. }
        )
    }

    /// Tells whether a new attempt could help before the session is ready.
    pub fn allows_new_attempt(&self) -> bool {
        classify(&self.signal, Phase::BeforeReady).retry != RetryRule::Never
    }
}

/// Says why an exam definition was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The definition is not acceptable.
    #[error("apply exam: {} of its fields are not acceptable", .0.len())]
    Invalid(Vec<crate::FieldError>),
    /// The database failed.
    #[error("apply exam {name}")]
    Database {
        /// The exam.
        name: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
}

/// Says why a row could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row does not hold what its column promises.
    #[error("read {table}.{column} of {id}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What did not fit.
        #[source]
        source: Source,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
