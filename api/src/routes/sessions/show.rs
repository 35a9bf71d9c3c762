//! `GET /v1/sessions/{session_id}`

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use environment_access::Action;
use session_status::StatusDocument;

use super::document;
use crate::access::admit;
use crate::extract::{Authenticated, HeldRevision, SessionPath};
use crate::problem::{ApiError, Problem};
use crate::state::ApiState;

/// Read a session's status
///
/// One honest document; the page and the operators see the same. With `If-None-Match` and the
/// revision already held, 304.
#[utoipa::path(
    tag = "sessions",
    operation_id = "show_session",
    security(("bearer" = []), ("cookie" = [])),
    params(
        ("session_id" = String, Path, description = "The session."),
        ("If-None-Match" = Option<String>, Header, description = "The entity tag already held."),
    ),
    responses(
        (status = 200, description = "The status.", body = StatusDocument,
         headers(("ETag" = String, description = "The revision."))),
        (status = 304, description = "The revision already held is the newest."),
        (status = 400, description = "The path or a header is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "Missing, foreign or not for this role: all alike.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/v1/sessions/{session_id}")]
pub(crate) async fn show(
    login: Authenticated,
    path: SessionPath,
    state: Data<ApiState>,
    held: HeldRevision,
) -> Result<HttpResponse, ApiError> {
    let mut conn = state.pool.acquire().await?;
    admit(&mut conn, &login.principal, path.0, Action::View).await?;
    let document = document::load(&mut conn, path.0).await?;
    Ok(document::answer_if_changed(&document, &held))
}
