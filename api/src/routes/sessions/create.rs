//! `POST /v1/sessions`

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use orchestrator::{Requested, SessionRequest, request_session};
use session_identity::{Role, UserId};
use session_status::StatusDocument;
use utoipa::ToSchema;

use super::document;
use crate::access::require_role;
use crate::extract::{Authenticated, Body, Fields, FromFields, IdempotencyKey, invalid};
use crate::problem::{ApiError, Problem};
use crate::request_context;
use crate::state::ApiState;

/// Longest exam name, as in the exams' own table.
const EXAM_NAME_LONGEST: usize = 63;

/// Asks for a candidate's session of an exam.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateSession {
    /// The candidate, as the exam platform names them: 1 to 128 of `A-Za-z0-9._@:+-`.
    #[schema(value_type = String, example = "u-1042", max_length = 128)]
    user_id: UserId,
    /// The exam's name.
    #[schema(
        example = "linux-fundamentals",
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
    )]
    exam: String,
    /// The exam's version; the newest if absent.
    #[schema(minimum = 1)]
    exam_version: Option<i32>,
}

impl FromFields for CreateSession {
    const FIELDS: &'static [&'static str] = &["user_id", "exam", "exam_version"];

    fn from_fields(fields: &mut Fields) -> Result<Self, ApiError> {
        let user_id = fields.text("user_id")?;
        let user_id = UserId::parse(&user_id).map_err(|e| invalid("user_id", e.to_string()))?;
        let exam = fields.text("exam")?;
        if !is_exam_name(&exam) {
            let detail = "exam is 1 to 63 lowercase letters, digits and inner dashes";
            return Err(invalid("exam", detail));
        }
        let exam_version = fields.optional_integer("exam_version", 1..=i32::MAX)?;
        Ok(Self {
            user_id,
            exam,
            exam_version,
        })
    }
}

fn is_exam_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=EXAM_NAME_LONGEST).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Request a session
///
/// Writes the session and its first job in one transaction and answers with the session in its
/// transient state. The same `Idempotency-Key` with the same body, or a live session of the same
/// candidate and exam, answers with that session and creates nothing.
#[utoipa::path(
    tag = "sessions",
    operation_id = "create_session",
    security(("bearer" = []), ("cookie" = [])),
    params(("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 characters, once per intention.")),
    request_body = CreateSession,
    responses(
        (status = 201, description = "The session was created.", body = StatusDocument,
         headers(("Location" = String, description = "Where its status is read."),
                 ("ETag" = String, description = "The revision."))),
        (status = 200, description = "This session exists already.", body = StatusDocument,
         headers(("Location" = String, description = "Where its status is read."),
                 ("ETag" = String, description = "The revision."))),
        (status = 400, description = "The body or a header is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "Not for this role, or not from this page.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The key stands for another request, or the exam's window is \
         over.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 16 KiB.", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not valid, or there is no \
         such exam.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/v1/sessions")]
pub(crate) async fn create(
    login: Authenticated,
    key: IdempotencyKey,
    body: Body<CreateSession>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    require_role(&login.principal, &[Role::Service, Role::Operator])?;
    let Body(wanted) = body;
    let request = SessionRequest {
        user_id: wanted.user_id,
        exam_name: wanted.exam,
        exam_version: wanted.exam_version,
        principal: login.principal,
        idempotency_key: key.0,
        trace: request_context::trace(),
    };
    let Requested { session, created } = request_session(&state.pool, &request).await?;
    if created {
        state.waker.wake();
    }
    let mut conn = state.pool.acquire().await?;
    let document = document::load(&mut conn, session.id).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = document::answer(status, &document);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/sessions/{}", session.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
