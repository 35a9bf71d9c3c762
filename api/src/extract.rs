//! Reading a request: each extractor answers what it cannot read with a problem document.

mod authenticated;
mod body;
mod fields;
mod held_revision;
mod idempotency_key;
mod last_event_id;
mod recording_format;
mod session_path;

pub(crate) use authenticated::{Authenticated, Missing, check_origin, refused};
pub(crate) use body::{Body, FromFields};
pub(crate) use fields::{Fields, invalid};
pub(crate) use held_revision::HeldRevision;
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use last_event_id::LastEventId;
pub(crate) use recording_format::RecordingFormat;
pub(crate) use session_path::SessionPath;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use actix_web::web::Data;

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;
use crate::state::ApiState;

/// Returns the state that the process put into every app.
fn state(request: &HttpRequest) -> Result<&Data<ApiState>, ApiError> {
    request
        .app_data::<Data<ApiState>>()
        .ok_or_else(|| ApiError::failed("the application was built without its state"))
}

/// Reads a header that may be given once, as text.
fn single_header<'a>(
    request: &'a HttpRequest,
    name: &HeaderName,
) -> Result<Option<&'a str>, ApiError> {
    let invalid = |detail: &str| {
        Err(ApiError::field(
            ProblemCode::HeaderInvalid,
            name.as_str(),
            format!("{name} {detail}"),
        ))
    };
    let mut values = request.headers().get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return invalid("is given more than once");
    }
    value
        .to_str()
        .map_or_else(|_| invalid("is not plain text"), |text| Ok(Some(text)))
}
