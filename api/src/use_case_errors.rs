//! What the use cases refuse, as problems.

use orchestrator::{EndError, RequestError};
use session_lifecycle::{ExtendError, InsertError};

use crate::access::not_available;
use crate::problem::{ApiError, by_class};
use crate::problem_code::ProblemCode;

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::UnknownExam { name, version } => unknown_exam(&name, version),
            RequestError::KeyReused => key_reused(),
            // The exam was there a moment before, so only its version can be meant.
            RequestError::Insert(InsertError::UnknownExam {
                exam_name,
                exam_version,
            }) => unknown_exam(&exam_name, Some(exam_version)),
            RequestError::Insert(InsertError::WindowNotOpen { starts_at }) => {
                let detail = format!("the exam's window opens at {starts_at}");
                Self::new(ProblemCode::WindowNotOpen, detail).next("ask again then")
            }
            RequestError::Insert(InsertError::WindowClosed { ends_at }) => {
                let detail = format!("the exam's window closed at {ends_at}");
                Self::new(ProblemCode::WindowClosed, detail)
            }
            RequestError::Insert(error) => by_class(error.class(), error),
            RequestError::Remember(error) => by_class(error.class(), error),
            RequestError::Other(error) => by_class(error.class(), error),
        }
    }
}

fn unknown_exam(name: &str, version: Option<i32>) -> ApiError {
    let (field, detail) = match version {
        Some(version) => (
            "exam_version",
            format!("exam {name} has no version {version}"),
        ),
        None => ("exam", format!("there is no exam {name}")),
    };
    ApiError::field(ProblemCode::ExamUnknown, field, detail).next("carrel exams list")
}

fn key_reused() -> ApiError {
    let detail = "this Idempotency-Key stands for another request";
    ApiError::field(ProblemCode::KeyReused, "Idempotency-Key", detail)
        .next("use a new key for a new intention, or repeat the first request unchanged")
}

impl From<EndError> for ApiError {
    fn from(error: EndError) -> Self {
        match error {
            EndError::Other(error) => by_class(error.class(), error),
        }
    }
}

impl From<ExtendError> for ApiError {
    fn from(error: ExtendError) -> Self {
        let sentence = error.to_string();
        match error {
            ExtendError::NotFound { .. } => not_available(),
            ExtendError::Ended { state, .. } => Self::new(
                ProblemCode::SessionEnded,
                format!("The session has ended (it is {state})"),
            ),
            ExtendError::NoDeadlineYet { .. } => Self::new(ProblemCode::NoDeadlineYet, sentence)
                .next("extend it once the candidate has started"),
            ExtendError::BeyondCap { cap, .. } => Self::new(ProblemCode::BeyondCap, sentence)
                .next(format!("choose an end before {cap}")),
            ExtendError::StillPast { .. } => Self::new(ProblemCode::StillPast, sentence),
            ExtendError::KeyReused { .. } => key_reused(),
            ExtendError::Invalid { field, problem } => Self::field(
                ProblemCode::FieldInvalid,
                field,
                format!("{field} {problem}"),
            ),
            ExtendError::Load(error) => by_class(error.class(), error),
        }
    }
}
