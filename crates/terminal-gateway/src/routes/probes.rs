//! `GET /livez` and `GET /readyz`.

use actix_web::{HttpResponse, web};
use telemetry::Readiness;

use crate::readiness;
use crate::state::GatewayState;

/// The process runs; looks at nothing else.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("live\n")
}

/// The process can take new terminals.
pub(super) async fn ready(state: web::Data<GatewayState>) -> HttpResponse {
    match readiness::check(&state).await {
        Readiness::Ready => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("ready\n"),
        Readiness::NotReady { reason } => HttpResponse::ServiceUnavailable()
            .content_type("text/plain; charset=utf-8")
            .body(format!("not ready: {reason}\n")),
    }
}
