//! The status document as an answer.

use actix_web::http::StatusCode;
use actix_web::http::header::{CacheControl, CacheDirective, ETag, EntityTag};
use actix_web::{HttpResponse, HttpResponseBuilder};
use session_identity::ExamSessionId;
use session_status::StatusDocument;
use sqlx::PgConnection;

use crate::access::not_available;
use crate::extract::HeldRevision;
use crate::problem::ApiError;

/// Reads the document of a session that the caller may see.
pub(super) async fn load(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<StatusDocument, ApiError> {
    let document = session_status::status(conn, session_id).await;
    document.map_err(ApiError::from)?.ok_or_else(not_available)
}

/// Answers with the document and its revision as the entity tag.
///
/// The tag names the revision, not the bytes: `server_time` and `remaining_ms` move on without it.
pub(super) fn answer(status: StatusCode, document: &StatusDocument) -> HttpResponse {
    tagged(status, document).json(document)
}

/// Answers 304 when the caller holds this revision already.
pub(super) fn answer_if_changed(document: &StatusDocument, held: &HeldRevision) -> HttpResponse {
    if held.holds(&tag(document)) {
        tagged(StatusCode::NOT_MODIFIED, document).finish()
    } else {
        answer(StatusCode::OK, document)
    }
}

fn tagged(status: StatusCode, document: &StatusDocument) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header(ETag(tag(document)))
        .insert_header(CacheControl(vec![
            CacheDirective::Private,
            CacheDirective::NoCache,
        ]));
    response
}

fn tag(document: &StatusDocument) -> EntityTag {
    EntityTag::new_strong(document.revision.to_string())
}
