//! `GET /v1/sessions/{session_id}/recording/{format}`

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use environment_access::Action;
use futures_util::{StreamExt as _, stream};
use session_identity::ExamSessionId;
use session_recording::{Export, ExportError, ReadError};
use sqlx::{PgConnection, PgPool};

use crate::access::admit;
use crate::extract::{Authenticated, RecordingFormat, SessionPath};
use crate::problem::{ApiError, Problem};
use crate::problem_code::ProblemCode;
use crate::state::ApiState;

/// Bytes that are gathered before they are sent.
const CHUNK: usize = 64 * 1024;

/// Read what a session's terminal showed
///
/// The recording as far as it has arrived, for those who watch over exams; candidates have none. It is
/// read as it is sent, so one that turns out to be damaged breaks off.
#[utoipa::path(
    tag = "sessions",
    operation_id = "read_recording",
    security(("bearer" = []), ("cookie" = [])),
    params(
        ("session_id" = String, Path, description = "The session."),
        ("format" = String, Path,
         description = "`asciicast-v3` or `asciicast-v2` for a player, `raw` for the exact bytes."),
    ),
    responses(
        (status = 200, description = "The recording.", content_type = "application/octet-stream"),
        (status = 400, description = "The path is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid login.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "Missing, foreign, not for this role, or nothing is recorded.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/v1/sessions/{session_id}/recording/{format}")]
pub(crate) async fn recording(
    login: Authenticated,
    path: SessionPath,
    format: RecordingFormat,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let mut reading = {
        let mut conn = state.pool.acquire().await?;
        admit(&mut conn, &login.principal, path.0, Action::Replay).await?;
        let export = Export::open(&mut conn, path.0, format.0).await;
        Reading {
            pool: state.pool.clone(),
            session_id: path.0,
            export: export.map_err(|error| unreadable(error.into()))?,
        }
    };
    let first = reading.chunk().await?.ok_or_else(not_recorded)?;
    let rest = stream::try_unfold(reading, |mut reading| async move {
        let chunk = reading.chunk().await?;
        Ok::<_, ApiError>(chunk.map(|chunk| (chunk, reading)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(stream::once(async { Ok(first) }).chain(rest))))
}

/// A recording on its way to a client.
struct Reading {
    pool: PgPool,
    session_id: ExamSessionId,
    export: Export,
}

impl Reading {
    /// Reads on with a connection that is given back before anything is sent: a slow client holds none.
    async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        let mut chunk = Vec::new();
        let mut conn = self.pool.acquire().await?;
        while chunk.len() < CHUNK && self.next(&mut conn, &mut chunk).await? {}
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }

    /// Whoever reads the answer learns of a failure only by its end, so it is told here.
    async fn next(
        &mut self,
        conn: &mut PgConnection,
        chunk: &mut Vec<u8>,
    ) -> Result<bool, ApiError> {
        let more = self.export.next(conn, chunk).await;
        more.map_err(|error| {
            tracing::error!(session.id = %self.session_id, %error, "a recording breaks off");
            unreadable(error)
        })
    }
}

fn unreadable(error: ExportError) -> ApiError {
    match error {
        ExportError::Read(ReadError::Database { source, .. }) => source.into(),
        damaged => ApiError::failed(damaged),
    }
}

fn not_recorded() -> ApiError {
    ApiError::new(
        ProblemCode::RecordingUnknown,
        "nothing of this session's terminal is recorded",
    )
    .next("a recording begins with the first terminal of an exam whose `recording` is not off")
}
