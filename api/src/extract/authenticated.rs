//! Who is asking.

use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use environment_access::{LOGIN_COOKIE, TokenError};
use futures_util::future::LocalBoxFuture;
use session_identity::Principal;

use super::{single_header, state};
use crate::problem::ApiError;
use crate::problem_code::ProblemCode;
use crate::state::ApiState;

/// A verified login, from a bearer token or from the login cookie.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    /// Who it is.
    pub(crate) principal: Principal,
    /// How long the login lasts from now.
    pub(crate) expires_in: Duration,
}

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Authenticated, ApiError> {
    let state = state(request)?;
    if request.headers().contains_key(header::AUTHORIZATION) {
        return verify(state, bearer(request)).await;
    }
    let cookie = request.cookie(LOGIN_COOKIE);
    let authenticated = verify(state, cookie.as_ref().map(Cookie::value)).await?;
    require_origin(state, request)?;
    Ok(authenticated)
}

/// Returns the bearer token, if the header is exactly one and of that scheme.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = single_header(request, &header::AUTHORIZATION)
        .ok()
        .flatten()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn verify(state: &ApiState, token: Option<&str>) -> Result<Authenticated, ApiError> {
    let token = token.unwrap_or_default();
    let login = state
        .verifier
        .verify_login(token)
        .await
        .map_err(|error| refused(&error))?;
    Ok(Authenticated {
        principal: login.principal,
        expires_in: login.expires_in,
    })
}

/// Answers every refused token alike; which check failed is for the log alone. While there are no
/// keys to check any with, that is our side's fault and is told so.
pub(crate) fn refused(error: &TokenError) -> ApiError {
    tracing::info!(reason = error.code(), "a login was refused");
    if *error == TokenError::KeysUnavailable {
        return ApiError::unavailable(error.clone());
    }
    ApiError::new(ProblemCode::LoginRequired, TokenError::PUBLIC_MESSAGE)
        .next("send Authorization: Bearer <token>, or log in again from the exam platform")
}

/// A browser adds the cookie whoever asks, so a write must also name a page that may ask.
fn require_origin(state: &ApiState, request: &HttpRequest) -> Result<(), ApiError> {
    if request.method().is_safe() {
        return Ok(());
    }
    check_origin(state, request, Missing::IsRefused)
}

/// Says what a request without an `Origin` header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Refused: the cookie alone proves nothing.
    IsRefused,
    /// Accepted: the request carries its own proof, so only a foreign page is refused.
    IsAccepted,
}

/// Compares the `Origin` header with the allow-list, byte for byte.
pub(crate) fn check_origin(
    state: &ApiState,
    request: &HttpRequest,
    missing: Missing,
) -> Result<(), ApiError> {
    let origin = single_header(request, &header::ORIGIN)?;
    let accepted = match origin {
        None => missing == Missing::IsAccepted,
        some => state.origins.find(some).is_some(),
    };
    if accepted {
        return Ok(());
    }
    let detail = "The Origin header does not name a page that may do this.";
    Err(
        ApiError::field(ProblemCode::OriginNotAllowed, "Origin", detail)
            .next("use a bearer token, or have the operator add the page to --page-origin"),
    )
}
