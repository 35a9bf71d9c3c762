//! A JSON body of bounded size, read into a domain type.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

use super::Fields;
use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

/// Far above any request of this API, far below what would cost memory.
const LIMIT: usize = 16 * 1024;

/// Reads itself from a body's fields, checking each.
pub(crate) trait FromFields: Sized {
    /// The fields there are; any other is refused by name.
    const FIELDS: &'static [&'static str];

    /// Takes the fields.
    fn from_fields(fields: &mut Fields) -> Result<Self, ApiError>;
}

/// A body read and checked.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: FromFields> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = check_declaration(request);
        let payload = payload.take();
        Box::pin(async move {
            declared?;
            let bytes = read_all(payload).await?;
            let mut fields = Fields::parse(&bytes, T::FIELDS)?;
            T::from_fields(&mut fields).map(Self)
        })
    }
}

fn check_declaration(request: &HttpRequest) -> Result<(), ApiError> {
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = media_type
        .and_then(|text| text.split(';').next())
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = format!("the body is declared as {essence:?}");
        return Err(
            ApiError::field(ProblemCode::ContentType, "Content-Type", detail)
                .next("send Content-Type: application/json"),
        );
    }
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok());
    match length.and_then(|text| text.parse::<usize>().ok()) {
        Some(length) if length > LIMIT => Err(too_large()),
        _ => Ok(()),
    }
}

async fn read_all(mut payload: Payload) -> Result<Bytes, ApiError> {
    let mut whole = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|error| {
            ApiError::new(
                ProblemCode::BodyUnread,
                format!("the body could not be read: {error}"),
            )
        })?;
        if whole.len() + part.len() > LIMIT {
            return Err(too_large());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

fn too_large() -> ApiError {
    ApiError::new(
        ProblemCode::TooLarge,
        format!("the body is larger than {LIMIT} bytes"),
    )
}
