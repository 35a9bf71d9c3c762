//! `POST /v1/sessions/{session_id}/terminate`

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use environment_access::Action;
use orchestrator::{EndRequest, end_session};
use session_status::StatusDocument;
use utoipa::ToSchema;

use super::document;
use crate::access::admit;
use crate::extract::{Authenticated, Body, Fields, FromFields, SessionPath};
use crate::problem::{ApiError, Problem};
use crate::reason::{self, REASON_LONGEST};
use crate::request_context;
use crate::state::ApiState;

/// Asks for a session's end.
#[derive(Debug, ToSchema)]
pub(crate) struct TerminateSession {
    /// Why; kept in the session's history. Up to 500 characters.
    #[schema(max_length = 500, example = "candidate left the room")]
    reason: Option<String>,
}

impl FromFields for TerminateSession {
    const FIELDS: &'static [&'static str] = &["reason"];

    fn from_fields(fields: &mut Fields) -> Result<Self, ApiError> {
        let reason = fields.optional_text("reason")?;
        reason
            .as_deref()
            .map(|text| reason::check(text, REASON_LONGEST))
            .transpose()?;
        Ok(Self { reason })
    }
}

/// End a session
///
/// Candidates may end their own; operators and services any. The end is final and is carried out by
/// a worker at once: the answer shows the session as it is now, and its status tells when it ended.
#[utoipa::path(
    tag = "sessions",
    operation_id = "terminate_session",
    security(("bearer" = []), ("cookie" = [])),
    params(("session_id" = String, Path, description = "The session.")),
    request_body = TerminateSession,
    responses(
        (status = 202, description = "The end is under way.", body = StatusDocument,
         headers(("ETag" = String, description = "The revision."))),
        (status = 400, description = "The path or the body is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "Not from this page.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "Missing, foreign or not for this role: all alike.",
         body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The session has ended already.", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 16 KiB.", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "A field is unknown or not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/v1/sessions/{session_id}/terminate")]
pub(crate) async fn terminate(
    login: Authenticated,
    path: SessionPath,
    body: Body<TerminateSession>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = state.pool.acquire().await?;
    admit(&mut conn, &login.principal, path.0, Action::End).await?;
    let request = EndRequest {
        session_id: path.0,
        principal: login.principal,
        reason: body.0.reason,
        trace: request_context::trace(),
    };
    // Given back before another is taken: a request that holds one while it waits for a second
    // can, with enough others like it, leave none for anybody.
    drop(conn);
    end_session(&state.pool, &request).await?;
    state.waker.wake();
    let document = document::load(&mut *state.pool.acquire().await?, path.0).await?;
    Ok(document::answer(StatusCode::ACCEPTED, &document))
}
