//! The `If-None-Match` header.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::{FromRequest, HttpRequest};

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

/// The entity tags that the caller holds already.
#[derive(Debug)]
pub(crate) struct HeldRevision(Option<IfNoneMatch>);

impl HeldRevision {
    /// Tells whether the caller holds this revision.
    pub(crate) fn holds(&self, tag: &EntityTag) -> bool {
        match &self.0 {
            None => false,
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|held| held.weak_eq(tag)),
        }
    }
}

impl FromRequest for HeldRevision {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<HeldRevision, ApiError> {
    if !request.headers().contains_key(header::IF_NONE_MATCH) {
        return Ok(HeldRevision(None));
    }
    let invalid = || {
        let detail = "the tags held are quoted texts, as the ETag header gave them";
        ApiError::field(ProblemCode::HeaderInvalid, "If-None-Match", detail)
    };
    match IfNoneMatch::parse(request).map_err(|_| invalid())? {
        // The parser leaves out what it cannot read.
        IfNoneMatch::Items(tags) if tags.is_empty() => Err(invalid()),
        held => Ok(HeldRevision(Some(held))),
    }
}
