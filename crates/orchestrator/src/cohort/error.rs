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
    #[error("{}, and not {agreed}", matching(*found))]
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

fn matching(found: usize) -> String {
    match found {
        1 => "1 live session matches".to_owned(),
        _ => format!("{found} live sessions match"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_is_one() {
        let differs = |found, agreed| CohortError::CountDiffers { agreed, found }.to_string();
        assert_eq!(differs(1, 2), "1 live session matches, and not 2");
        assert_eq!(differs(0, 2), "0 live sessions match, and not 2");
        assert_eq!(differs(3, 1), "3 live sessions match, and not 1");
    }
}
