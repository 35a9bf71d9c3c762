//! The routes of the process.

mod probes;
mod terminal;
mod tickets;

use actix_cors::Cors;
use actix_web::http::header;
use actix_web::web;

use crate::state::GatewayState;

/// How long a browser may remember what it may ask, in seconds.
const PREFLIGHT_SECONDS: usize = 600;

/// Mounts the routes.
pub(crate) fn configure(state: &web::Data<GatewayState>, config: &mut web::ServiceConfig) {
    let tickets = web::resource("/v1/sessions/{session_id}/terminal-tickets")
        .wrap(cors(state))
        .route(web::post().to(tickets::issue));
    config
        .app_data(state.clone())
        .service(tickets)
        .route(
            "/v1/sessions/{session_id}/terminal",
            web::get().to(terminal::attach),
        )
        .route("/livez", web::get().to(probes::live))
        .route("/readyz", web::get().to(probes::ready));
}

/// The page is of another origin, and its browser asks before it sends the cookie.
fn cors(state: &GatewayState) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["POST"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .supports_credentials()
        .max_age(PREFLIGHT_SECONDS);
    state
        .origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin.as_str()))
}
