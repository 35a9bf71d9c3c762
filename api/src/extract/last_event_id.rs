//! The `Last-Event-ID` header of a resumed event stream.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};

use super::single_header;
use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

const NAME: HeaderName = HeaderName::from_static("last-event-id");

/// The revision that the client saw last; zero when it has seen none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastEventId(pub(crate) i64);

impl FromRequest for LastEventId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self))
    }
}

fn read(request: &HttpRequest) -> Result<i64, ApiError> {
    let Some(text) = single_header(request, &NAME)?.filter(|text| !text.is_empty()) else {
        return Ok(0);
    };
    text.parse::<i64>()
        .ok()
        .filter(|revision| *revision >= 0)
        .ok_or_else(|| {
            let detail = "an event id is the revision of a status document, a whole number";
            ApiError::field(ProblemCode::HeaderInvalid, "Last-Event-ID", detail)
        })
}
