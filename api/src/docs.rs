//! `/openapi.json` and the page that makes it browsable.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::openapi;
use crate::problem::ApiError;
use crate::unmatched;

/// Where the document is.
const DOCUMENT: &str = "/openapi.json";

/// Registers the document and its page.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let viewer = Config::from(DOCUMENT)
        .try_it_out_enabled(false)
        .with_credentials(true);
    config
        .app_data(Data::from(Arc::new(viewer)))
        .route(DOCUMENT, web::get().to(document))
        .route("/docs", web::get().to(to_docs))
        .route("/docs/{file:.*}", web::get().to(viewer_file));
}

async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(openapi::document())
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

async fn viewer_file(
    request: HttpRequest,
    file: Path<String>,
    viewer: Data<Config<'static>>,
) -> Result<HttpResponse, ApiError> {
    let served = utoipa_swagger_ui::serve(&file, viewer.into_inner());
    let Some(served) = served.map_err(|error| ApiError::failed(error.to_string()))? else {
        return Err(unmatched::unknown(&request));
    };
    let mut response = HttpResponse::Ok();
    if served.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response
        .content_type(served.content_type)
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    Ok(response.body(served.bytes.into_owned()))
}
