//! The application: routes, pages, what surrounds them.

use actix_web::web::{self, Data, ServiceConfig};
use utoipa_actix_web::service_config::ServiceConfig as DocumentedConfig;

use crate::state::ApiState;
use crate::{docs, page, routes, unmatched};

/// Registers everything the process answers.
pub(crate) fn configure(state: &Data<ApiState>, config: &mut ServiceConfig) {
    config.app_data(state.clone());
    routes::configure(&mut DocumentedConfig::new(config));
    docs::configure(config);
    page::configure(config);
    config.default_service(web::to(unmatched::answer));
}
