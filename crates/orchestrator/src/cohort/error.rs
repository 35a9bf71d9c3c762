//! Why a cohort was not visited to its end.

use session_identity::ExamSessionId;
use session_lifecycle::{ErrorClass, ExtendError};

use crate::{RequestError, StepError};

/// Why a cohort was not visited to its end. Sessions that were told of before stay as they were told.
#[derive(Debug, thiserror::Error)]
pub enum CohortError {
    /// There is no such exam, or it has no such version. Nothing was written.
    #[error(transparent)]
    Exam(#[from] RequestError),
    /// Another number of sessions was agreed to. Nothing was written.
    #[error("{found} live sessions match, and not {agreed}")]
    CountDiffers {
        /// As many were agreed to.
        agreed: usize,
        /// As many there are.
        found: usize,
    },
    /// The key has moved a deadline by another time or for another reason. Nothing was written.
    #[error("the key stands for another extension, as of session {session_id}")]
    KeyReused {
        /// The first session that has such an extension.
        session_id: ExamSessionId,
    },
    /// A field of the request is out of its bounds. Nothing was written.
    #[error(transparent)]
    Invalid(ExtendError),
    /// A step below failed. The session at hand was left as it was, unless the connection broke
    /// while it was committed: the same request tells.
    #[error(transparent)]
    Other(StepError),
}

impl<E: Into<StepError>> From<E> for CohortError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl CohortError {
    /// Returns the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Exam(RequestError::Other(error)) | Self::Other(error) => error.class(),
            Self::Exam(_) => ErrorClass::NotFound,
            Self::CountDiffers { .. } | Self::KeyReused { .. } => ErrorClass::Conflict,
            Self::Invalid(error) => error.class(),
        }
    }
}
