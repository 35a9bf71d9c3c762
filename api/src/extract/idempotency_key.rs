//! The `Idempotency-Key` header.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};

use super::single_header;
use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// As long as the column that keeps it.
const LONGEST: usize = 255;

/// The caller's key of a write, if one was sent.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl IdempotencyKey {
    /// Returns the key of a write that needs one.
    pub(crate) fn required(self) -> Result<String, ApiError> {
        self.0.ok_or_else(|| {
            let detail = "this write needs an Idempotency-Key, so that repeating it is safe";
            ApiError::field(ProblemCode::KeyMissing, "Idempotency-Key", detail)
                .next("send Idempotency-Key: <any text of 1 to 255 characters, once per intention>")
        })
    }
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self))
    }
}

fn read(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(key) = single_header(request, &NAME)? else {
        return Ok(None);
    };
    let plain = key
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if key.trim().is_empty() || key.len() > LONGEST || !plain {
        let detail = format!("a key is 1 to {LONGEST} printable ASCII characters");
        return Err(ApiError::field(
            ProblemCode::HeaderInvalid,
            "Idempotency-Key",
            detail,
        ));
    }
    Ok(Some(key.to_owned()))
}
