//! The one error of the API: a problem document (RFC 9457) with a stable code.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use session_lifecycle::ErrorClass;
use session_status::StatusError;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, schema::Type};

use crate::problem_code::ProblemCode;
use crate::request_context;

/// The media type of every error answer.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What a caller is told when a request is refused or fails.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the kind of problem: `urn:carrel:problem:` and the code.
    #[schema(example = "urn:carrel:problem:request.field_invalid")]
    r#type: String,
    /// The kind of problem in words; the same for every occurrence.
    title: &'static str,
    /// The HTTP status, repeated for whoever reads the body alone.
    status: u16,
    /// What is wrong this time, in one sentence.
    detail: String,
    /// The stable code to program against.
    #[schema(schema_with = codes)]
    code: &'static str,
    /// The field, header or path part that is wrong, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Names this request in the logs.
    request_id: String,
}

/// Lists every code in the document.
fn codes() -> Object {
    let all = ProblemCode::ALL.iter().map(|code| code.as_str());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(all))
        .build()
}

/// A refused or failed request.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ProblemCode,
    detail: String,
    field: Option<String>,
    next: Option<String>,
    allow: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// Makes the problem of a code, with its sentence.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            next: None,
            allow: None,
            source: None,
        }
    }

    /// Makes the problem of one wrong field.
    pub(crate) fn field(code: ProblemCode, field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(shorten(field)),
            ..Self::new(code, detail)
        }
    }

    /// Makes the answer to a failure of ours. What failed is logged and never told.
    pub(crate) fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The request failed on our side; nothing is known to be wrong with it.";
        Self {
            source: Some(source.into()),
            ..Self::new(ProblemCode::Internal, detail)
        }
    }

    /// Makes the answer while the database cannot be reached.
    pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The exam service is briefly unavailable.";
        let next = "repeat the request in a moment; writes with the same Idempotency-Key are safe";
        Self {
            source: Some(source.into()),
            ..Self::new(ProblemCode::Unavailable, detail)
        }
        .next(next)
    }

    /// Adds what to do about it.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the methods that a path does answer.
    pub(crate) fn allow(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Returns the code.
    pub(crate) fn code(&self) -> ProblemCode {
        self.code
    }

    fn document(&self) -> Problem {
        let code = self.code.as_str();
        Problem {
            r#type: format!("urn:carrel:problem:{code}"),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code,
            field: self.field.clone(),
            next: self.next.clone(),
            request_id: request_context::request_id(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response
            .content_type(PROBLEM_JSON)
            .insert_header((header::CACHE_CONTROL, "no-store"));
        match self.code {
            ProblemCode::LoginRequired => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            ProblemCode::Unavailable => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if let Some(allow) = self
            .allow
            .as_deref()
            .and_then(|v| HeaderValue::from_str(v).ok())
        {
            response.insert_header((header::ALLOW, allow));
        }
        response.json(self.document())
    }
}

/// Keeps what a caller named short and printable before it is told back.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Sorts a failure that no request causes: what passes by itself, or was lost to somebody faster, is
/// worth repeating; the rest is a fault of ours.
pub(crate) fn by_class(
    class: ErrorClass,
    error: impl Into<Box<dyn Error + Send + Sync>>,
) -> ApiError {
    match class {
        ErrorClass::Transient | ErrorClass::Conflict => ApiError::unavailable(error),
        ErrorClass::NotFound | ErrorClass::Refused | ErrorClass::Bug => ApiError::failed(error),
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        by_class(ErrorClass::of_database(&error), error)
    }
}

impl From<StatusError> for ApiError {
    fn from(error: StatusError) -> Self {
        by_class(error.class(), error)
    }
}
