//! The format that a path asks a recording in.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use session_recording::ExportFormat;

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;

const FORMATS: [ExportFormat; 3] = [
    ExportFormat::AsciicastV3,
    ExportFormat::AsciicastV2,
    ExportFormat::Raw,
];

/// The `{format}` of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordingFormat(pub(crate) ExportFormat);

impl FromRequest for RecordingFormat {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("format").unwrap_or_default();
        let meant = FORMATS
            .into_iter()
            .find(|format| format.to_string() == text);
        ready(meant.map(Self).ok_or_else(|| {
            let detail = "format is none of asciicast-v3, asciicast-v2, raw";
            ApiError::field(ProblemCode::PathInvalid, "format", detail)
        }))
    }
}
