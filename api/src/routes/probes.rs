//! `GET /livez` and `GET /readyz`

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use telemetry::Readiness;
use utoipa::ToSchema;

use crate::problem::{ApiError, Problem};
use crate::problem_code::ProblemCode;
use crate::readiness;
use crate::state::ApiState;

/// The answer of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Probe {
    /// `live` or `ready`.
    status: &'static str,
}

/// Is the process alive?
///
/// Looks at nothing but itself: a database outage must not restart it.
#[utoipa::path(
    tag = "probes",
    operation_id = "livez",
    responses((status = 200, description = "It is.", body = Probe))
)]
#[get("/livez")]
pub(crate) async fn livez() -> HttpResponse {
    answer("live")
}

/// Can the process do its work?
///
/// The database is reachable, its schema is one this build understands, and there are keys to
/// verify logins with.
#[utoipa::path(
    tag = "probes",
    operation_id = "readyz",
    responses(
        (status = 200, description = "It can.", body = Probe),
        (status = 503, description = "It cannot.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[get("/readyz")]
pub(crate) async fn readyz(state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    match readiness::check(&state).await {
        Readiness::Ready => Ok(answer("ready")),
        Readiness::NotReady { reason } => Err(ApiError::new(ProblemCode::Unavailable, reason)),
    }
}

fn answer(status: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Probe { status })
}
