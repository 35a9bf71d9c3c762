//! Why a sweep did not happen.

use execution_environment::{RuntimeError, StoreError};
use failure_classification::{Phase, classify};
use session_lifecycle::{ErrorClass, LoadError, TransitionError};

/// Explains why a sweep did not happen. Nothing of its batch was written.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Sessions could not be found or read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A due session could not be ended.
    #[error("end a due session")]
    Transition(#[source] TransitionError),
    /// The row of this installation, or of an environment, could not be read.
    #[error("read what is known of environments")]
    Environment(#[from] StoreError),
    /// The runtime did not say what it has.
    #[error("list what the runtime has")]
    Runtime(#[from] RuntimeError),
    /// The database failed.
    #[error("query the database for a sweep")]
    Database(#[source] sqlx::Error),
}

impl SweepError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Load(error) => error.class(),
            Self::Transition(error) => error.class(),
            Self::Environment(StoreError::Database(error)) | Self::Database(error) => {
                ErrorClass::of_database(error)
            }
            Self::Runtime(error) if error.is_transient() => ErrorClass::Transient,
            Self::Runtime(_) => ErrorClass::Conflict,
            Self::Environment(_) => ErrorClass::Bug,
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Load(error) => error.code(),
            Self::Transition(error) => error.code(),
            Self::Runtime(error) => classify(&error.signal, Phase::BeforeReady).code().as_str(),
            Self::Environment(StoreError::Inconsistent { .. }) => "row.inconsistent",
            Self::Environment(StoreError::Database(_)) | Self::Database(_) => "database.failed",
        }
    }
}

impl From<TransitionError> for SweepError {
    fn from(error: TransitionError) -> Self {
        Self::Transition(error)
    }
}

impl From<sqlx::Error> for SweepError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
