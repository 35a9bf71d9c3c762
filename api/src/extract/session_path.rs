//! The session named by a path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use session_identity::ExamSessionId;

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

/// The `{session_id}` of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionPath(pub(crate) ExamSessionId);

impl FromRequest for SessionPath {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("session_id").unwrap_or_default();
        ready(text.parse().map(Self).map_err(|_| {
            let detail = "session_id is not a session's id: 36 characters of hex and dashes";
            ApiError::field(ProblemCode::PathInvalid, "session_id", detail)
        }))
    }
}
