//! Every documented route, one file each.

mod login;
mod logout;
mod page_config;
mod probes;
mod sessions;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers every documented route; the document is generated from the same calls.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(sessions::create::create)
        .service(sessions::show::show)
        .service(sessions::events::events)
        .service(sessions::recording::recording)
        .service(sessions::terminate::terminate)
        .service(sessions::extend::extend)
        .service(login::login)
        .service(logout::logout)
        .service(page_config::page_config)
        .service(probes::livez)
        .service(probes::readyz);
}
