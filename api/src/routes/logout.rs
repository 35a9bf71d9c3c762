//! `POST /v1/logout`

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};

use super::login::{cookie, no_content};
use crate::extract::{Missing, check_origin};
use crate::problem::{ApiError, Problem};
use crate::state::ApiState;

/// Log out
///
/// Makes the browser forget its login. The token itself lasts until its own end.
#[utoipa::path(
    tag = "login",
    operation_id = "logout",
    responses(
        (status = 204, description = "Logged out, or never in.",
         headers(("Set-Cookie" = String, description = "Removes the login."))),
        (status = 403, description = "Not from this page.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
#[post("/v1/logout")]
pub(crate) async fn logout(
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    check_origin(&state, &request, Missing::IsRefused)?;
    Ok(no_content(
        &cookie(&request, "").max_age(CookieDuration::ZERO).finish(),
    ))
}
