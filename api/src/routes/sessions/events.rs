//! `GET /v1/sessions/{session_id}/events`

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use environment_access::Action;
use session_status::StatusDocument;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::document;
use crate::access::admit;
use crate::extract::{Authenticated, LastEventId, SessionPath};
use crate::problem::{ApiError, Problem};
use crate::problem_code::ProblemCode;
use crate::state::ApiState;
use crate::status_stream::{StatusStream, is_final};

/// Events that may wait for a slow client; each supersedes the one before it.
const WAITING: usize = 4;

/// Follow a session's status
///
/// Server-sent events: `status`, whose data is the status document and whose id is its revision. The
/// present status comes first, unless `Last-Event-ID` names its revision; then every change. A
/// comment every 15 s keeps the stream open. When nothing can change any more the stream ends, and a
/// client that returns with the last revision is told so by 204.
#[utoipa::path(
    tag = "sessions",
    operation_id = "follow_session",
    security(("bearer" = []), ("cookie" = [])),
    params(
        ("session_id" = String, Path, description = "The session."),
        ("Last-Event-ID" = Option<i64>, Header, description = "The revision seen last."),
    ),
    responses(
        (status = 200, description = "The stream; each event's data is a status document.",
         body = StatusDocument, content_type = "text/event-stream"),
        (status = 204, description = "Nothing will change any more."),
        (status = 400, description = "The path or a header is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "Missing, foreign or not for this role: all alike.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer, or too many streams are open.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/v1/sessions/{session_id}/events")]
pub(crate) async fn events(
    login: Authenticated,
    path: SessionPath,
    last: LastEventId,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    // Before the first read, so that no change falls between the two.
    let follower = state.hints.follow(path.0);
    let present = read(&login, path, &state).await?;
    if is_final(&present) && present.revision <= last.0 {
        return Ok(HttpResponse::NoContent().finish());
    }
    let permit = state
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| too_many())?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let stream = StatusStream {
        session_id: path.0,
        pool: state.pool.clone(),
        follower,
        sender,
        seen: last.0,
        stopping: state.stopping.clone(),
        login_ends_in: login.expires_in,
        permit,
    };
    actix_web::rt::spawn(stream.run(present));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(ReceiverStream::new(receiver).map(Ok::<Bytes, ApiError>)))
}

/// Reads with a connection that is given back before the stream begins.
async fn read(
    login: &Authenticated,
    path: SessionPath,
    state: &ApiState,
) -> Result<StatusDocument, ApiError> {
    let mut conn = state.pool.acquire().await?;
    admit(&mut conn, &login.principal, path.0, Action::View).await?;
    document::load(&mut conn, path.0).await
}

fn too_many() -> ApiError {
    ApiError::new(
        ProblemCode::TooManyStreams,
        "this process has as many streams as it may hold",
    )
    .next("read the status now and then instead, or try again")
}
