//! Why a sweep did not happen.

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
            Self::Database(error) => ErrorClass::of_database(error),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Load(error) => error.code(),
            Self::Transition(error) => error.code(),
            Self::Database(_) => "database.failed",
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
