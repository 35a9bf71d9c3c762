//! The document of the API, generated from its routes.

use std::sync::OnceLock;

use actix_web::App;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{Modify, OpenApi};
use utoipa_actix_web::AppExt;

use crate::routes;

/// The parts that no route says.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Carrel",
        description = "Isolated exam sessions: request, follow, extend, end.\n\n\
            Every refusal is a problem document (RFC 9457) whose `code` is stable. Missing and \
            foreign sessions are answered alike. Times are RFC 3339 in UTC, durations name their \
            unit. Unknown fields and query parameters are refused by name.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "sessions", description = "One candidate's exam."),
        (name = "login", description = "A browser's login."),
        (name = "page", description = "What the candidate's page reads first."),
        (name = "probes", description = "For whoever runs the process."),
    ),
    modifiers(&Logins),
)]
struct Frame;

/// Adds the two ways to say who is asking.
struct Logins;

impl Modify for Logins {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT");
        let cookie = ApiKeyValue::with_description(
            environment_access::LOGIN_COOKIE,
            "Set by POST /v1/login. Writes also need an Origin that the operator allows.",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// Returns the document, generated once.
pub(crate) fn document() -> &'static utoipa::openapi::OpenApi {
    static DOCUMENT: OnceLock<utoipa::openapi::OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let app = App::new().into_utoipa_app().openapi(Frame::openapi());
        let mut document = app.configure(routes::configure).split_for_parts().1;
        close(&mut document);
        document
    })
}

/// Says of every request body what the extractor holds it to: unknown fields are refused.
fn close(document: &mut utoipa::openapi::OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for name in [
        "CreateSession",
        "ExtendSession",
        "Login",
        "TerminateSession",
    ] {
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(name) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// Returns the document as it is kept in the repository: pretty JSON with a line break at the end.
///
/// # Panics
///
/// Never: the document is made of texts and maps.
pub fn document_json() -> String {
    let json = document()
        .to_pretty_json()
        .expect("a document of texts and maps is JSON");
    format!("{json}\n")
}
