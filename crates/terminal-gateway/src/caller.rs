//! Who makes a request, and from which page.

use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header;
use environment_access::{LOGIN_COOKIE, Login, PageOrigin, TokenError};
use session_identity::ExamSessionId;

use crate::problem::Problem;
use crate::state::GatewayState;

/// A request's login and page.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The verified login.
    pub(crate) login: Login,
    /// When it was verified: from then on it lasts as long as it says.
    pub(crate) verified_at: Instant,
    /// The page it comes from.
    pub(crate) origin: PageOrigin,
}

impl Caller {
    /// Verifies both proofs: an exact origin first, which is cheaper, and then the login.
    pub(crate) async fn of(request: &HttpRequest, state: &GatewayState) -> Result<Self, Problem> {
        let origin = state.origins.find(origin(request));
        let origin = origin.ok_or(Problem::Origin)?.clone();
        let token = token(request).ok_or(Problem::Login(TokenError::Missing))?;
        let login = state
            .verifier
            .verify_login(&token)
            .await
            .map_err(Problem::Login)?;
        Ok(Self {
            login,
            verified_at: Instant::now(),
            origin,
        })
    }
}

/// The origin a request names. One that names several, which no browser does, names none.
fn origin(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(header::ORIGIN);
    let origin = headers.next()?.to_str().ok()?;
    headers.next().is_none().then_some(origin)
}

/// The login token: of the Authorization header if there is one, else of the cookie.
fn token(request: &HttpRequest) -> Option<String> {
    if let Some(header) = request.headers().get(header::AUTHORIZATION) {
        let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned());
    }
    request
        .cookie(LOGIN_COOKIE)
        .map(|cookie| cookie.value().to_owned())
}

/// The session named in the path. What is no id names no session, and is told so.
pub(crate) fn session_id(request: &HttpRequest) -> Result<ExamSessionId, Problem> {
    let segment = request.match_info().get("session_id");
    segment
        .and_then(|text| text.parse().ok())
        .ok_or(Problem::NoSuchSession)
}

#[cfg(test)]
mod tests {
    use actix_web::cookie::Cookie;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_authorization_header_goes_before_the_cookie() {
        let cookie = || TestRequest::default().cookie(Cookie::new(LOGIN_COOKIE, "from-cookie"));
        let of = |request: TestRequest| token(&request.to_http_request());
        assert_eq!(of(cookie()).as_deref(), Some("from-cookie"));
        let both = cookie().insert_header((header::AUTHORIZATION, "Bearer from-header"));
        assert_eq!(of(both).as_deref(), Some("from-header"));
        let other = cookie().insert_header((header::AUTHORIZATION, "Basic dTpw"));
        assert_eq!(
            of(other),
            None,
            "a broken header is not covered up by the cookie"
        );
        assert_eq!(of(TestRequest::default()), None);
    }
}
