//! Why a status could not be told.

use session_identity::ExamSessionId;
use session_lifecycle::ErrorClass;

/// Explains why a status could not be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A row holds what no owner can have written.
    #[error("read {column} of session {session_id}: unexpected {value:?}")]
    Inconsistent {
        /// The column, with its table.
        column: &'static str,
        /// Whose row.
        session_id: ExamSessionId,
        /// What it held.
        value: String,
    },
    /// The database failed.
    #[error("query the database for a session's status")]
    Database(#[source] sqlx::Error),
}

impl StatusError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Inconsistent { .. } => ErrorClass::Bug,
            Self::Database(error) => ErrorClass::of_database(error),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inconsistent { .. } => "session.inconsistent",
            Self::Database(_) => "database.failed",
        }
    }
}

impl From<sqlx::Error> for StatusError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
