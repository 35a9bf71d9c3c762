//! The candidate's page: built files, and one document for every exam's address.

use std::path::Path;

use actix_files::NamedFile;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Compress;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::problem::ApiError;
use crate::problem_code::ProblemCode;
use crate::state::ApiState;
use crate::unmatched;

/// Names of built assets carry a hash of their content, so they never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Everything else is asked for anew, and answered 304 when it is the same.
const FRESH: &str = "no-cache";

/// Registers the page's routes. File names are matched letter by letter, so no path can climb.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let route = |pattern: &str| web::resource(pattern).wrap(Compress::default());
    config
        .service(route("/exam/{session_id}").get(index))
        .service(route("/replay/player").get(player))
        .service(route("/replay/{session_id}").get(replay))
        .service(route(r"/assets/{file:[A-Za-z0-9_][A-Za-z0-9._-]*}").get(asset))
        .service(route(r"/{file:[A-Za-z0-9_-]+\.(?:ico|png|svg|txt|webmanifest)}").get(beside));
}

/// Answers every exam's address with the same document: whether the session exists is asked by the
/// page, of a route that answers missing and foreign alike.
async fn index(state: Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = state.page.as_ref().ok_or_else(not_built)?;
    open(&page.file("index.html"), FRESH, &request).await
}

/// Answers every recording's address with the same document, as it is with exams.
async fn replay(state: Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = state.page.as_ref().ok_or_else(not_built)?;
    open(&page.file("replay.html"), FRESH, &request).await
}

/// Answers the document of the frame in which a recording plays.
async fn player(state: Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = state.page.as_ref().ok_or_else(not_built)?;
    open(&page.file("player.html"), FRESH, &request).await
}

/// Answers a file that the document loads.
async fn asset(
    state: Data<ApiState>,
    request: HttpRequest,
    file: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let page = state.page.as_ref().ok_or_else(not_built)?;
    open(&page.file("assets").join(file.as_str()), FOR_EVER, &request).await
}

/// Answers a file beside the document, such as an icon.
async fn beside(
    state: Data<ApiState>,
    request: HttpRequest,
    file: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let page = state.page.as_ref().ok_or_else(not_built)?;
    open(&page.file(file.as_str()), FRESH, &request).await
}

async fn open(
    path: &Path,
    caching: &'static str,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let unknown = |_| unmatched::unknown(request);
    let file = NamedFile::open_async(path).await.map_err(unknown)?;
    let mut response = file.prefer_utf8(true).into_response(request);
    let caching = HeaderValue::from_static(caching);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, caching);
    Ok(response)
}

fn not_built() -> ApiError {
    ApiError::new(ProblemCode::RouteUnknown, "this process serves no page")
        .next("build the page and name its folder with --page-dir")
}
