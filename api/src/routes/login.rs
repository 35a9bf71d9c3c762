//! `POST /v1/login`

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use environment_access::LOGIN_COOKIE;
use secrecy::{ExposeSecret, SecretString};
use utoipa::ToSchema;

use crate::extract::{Body, Fields, FromFields, Missing, check_origin, refused};
use crate::problem::{ApiError, Problem};
use crate::state::ApiState;

/// Turns a token into a login of this browser.
#[derive(Debug, ToSchema)]
pub(crate) struct Login {
    /// The token that the exam platform signed.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
}

impl FromFields for Login {
    const FIELDS: &'static [&'static str] = &["token"];

    fn from_fields(fields: &mut Fields) -> Result<Self, ApiError> {
        Ok(Self {
            token: fields.text("token")?.into(),
        })
    }
}

/// Log in
///
/// Verifies the token and keeps it in a cookie that scripts cannot read, for as long as it lasts.
#[utoipa::path(
    tag = "login",
    operation_id = "login",
    request_body = Login,
    responses(
        (status = 204, description = "Logged in.",
         headers(("Set-Cookie" = String, description = "The login, HttpOnly, SameSite=Strict."))),
        (status = 400, description = "The body is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "The token is not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "Not from this page.", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 16 KiB.", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not valid.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Logins cannot be verified for a moment.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/v1/login")]
pub(crate) async fn login(
    request: HttpRequest,
    body: Body<Login>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    // The token is its own proof; a foreign page is refused, so that nobody is logged in as another.
    check_origin(&state, &request, Missing::IsAccepted)?;
    let token = body.0.token.expose_secret();
    let login = state
        .verifier
        .verify_login(token)
        .await
        .map_err(|error| refused(&error))?;
    let seconds = i64::try_from(login.expires_in.as_secs()).unwrap_or(i64::MAX);
    let cookie = cookie(&request, token)
        .max_age(CookieDuration::seconds(seconds))
        .finish();
    Ok(no_content(&cookie))
}

/// Begins the login cookie. It is `Secure` exactly where the page is: browsers drop it otherwise.
pub(super) fn cookie<'a>(
    request: &HttpRequest,
    value: &'a str,
) -> actix_web::cookie::CookieBuilder<'a> {
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok());
    let secure = origin.is_some_and(|origin| origin.starts_with("https://"));
    Cookie::build(LOGIN_COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
}

pub(super) fn no_content(cookie: &Cookie<'_>) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .cookie(cookie.clone())
        .finish()
}
