//! `GET /v1/page-config`

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// What the page must know before it can do anything.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageConfig {
    /// Where the terminal process answers, without a slash at the end.
    #[schema(example = "http://127.0.0.1:8081")]
    terminal_url: String,
}

/// Read the page's configuration
///
/// Public: it names processes, never sessions.
#[utoipa::path(
    tag = "page",
    operation_id = "page_config",
    responses((status = 200, description = "The configuration.", body = PageConfig))
)]
#[get("/v1/page-config")]
pub(crate) async fn page_config(state: Data<ApiState>) -> HttpResponse {
    let terminal_url = state.terminal_url.as_str().trim_end_matches('/').to_owned();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(PageConfig { terminal_url })
}
