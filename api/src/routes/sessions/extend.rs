//! `POST /v1/sessions/{session_id}/extend`

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use environment_access::Action;
use orchestrator::extend_session;
use session_lifecycle::Extension;
use session_status::StatusDocument;
use utoipa::ToSchema;

use super::document;
use crate::access::admit;
use crate::extract::{Authenticated, Body, Fields, FromFields, IdempotencyKey, SessionPath};
use crate::problem::{ApiError, Problem};
use crate::reason::{self, REASON_LONGEST};
use crate::state::ApiState;

/// A day: more is a mistyped unit, and the exam's absolute end is sooner anyway.
const LONGEST_SECONDS: i32 = 24 * 60 * 60;

/// Asks for more time.
#[derive(Debug, ToSchema)]
pub(crate) struct ExtendSession {
    /// How much more, in whole seconds.
    #[schema(minimum = 1, maximum = 86400, example = 600)]
    by_seconds: i32,
    /// Why; kept with the extension. 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "INC-7: network outage")]
    reason: String,
}

impl FromFields for ExtendSession {
    const FIELDS: &'static [&'static str] = &["by_seconds", "reason"];

    fn from_fields(fields: &mut Fields) -> Result<Self, ApiError> {
        let by_seconds = fields.integer("by_seconds", 1..=LONGEST_SECONDS)?;
        let reason = fields.text("reason")?;
        reason::check(&reason, REASON_LONGEST)?;
        Ok(Self { by_seconds, reason })
    }
}

/// Give a session more time
///
/// Moves the session's end once per `Idempotency-Key`, never beyond the exam's absolute end, and
/// records by whom and why. Repeating the request is answered with what it did.
#[utoipa::path(
    tag = "sessions",
    operation_id = "extend_session",
    security(("bearer" = []), ("cookie" = [])),
    params(
        ("session_id" = String, Path, description = "The session."),
        ("Idempotency-Key" = String, Header,
         description = "1 to 255 characters, once per intention."),
    ),
    request_body = ExtendSession,
    responses(
        (status = 202, description = "The end has moved; terminals are being told.",
         body = StatusDocument, headers(("ETag" = String, description = "The revision."))),
        (status = 400, description = "The path, the body or the key is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "Not from this page.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "Missing, foreign or not for this role: all alike.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The clock has not started, the new end passes the absolute \
         end, or the key stands for another extension.", body = Problem,
         content_type = "application/problem+json"),
        (status = 410, description = "The session has ended already.", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 16 KiB.", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/v1/sessions/{session_id}/extend")]
pub(crate) async fn extend(
    login: Authenticated,
    path: SessionPath,
    key: IdempotencyKey,
    body: Body<ExtendSession>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = state.pool.acquire().await?;
    admit(&mut conn, &login.principal, path.0, Action::Extend).await?;
    let Body(wanted) = body;
    let extension = Extension {
        session_id: path.0,
        by: Duration::from_secs(u64::try_from(wanted.by_seconds).unwrap_or_default()),
        actor: login.principal.actor(),
        reason: wanted.reason,
        idempotency_key: key.required()?,
    };
    // Given back before another is taken: a request that holds one while it waits for a second
    // can, with enough others like it, leave none for anybody.
    drop(conn);
    extend_session(&state.pool, &extension).await?;
    let document = document::load(&mut *state.pool.acquire().await?, path.0).await?;
    Ok(document::answer(StatusCode::ACCEPTED, &document))
}
