//! What happens to every request on its way in and every answer on its way out.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};
use telemetry::metrics::Metric;

use crate::problem::{ApiError, shorten};
use crate::problem_code::ProblemCode;
use crate::request_context::RequestContext;
use crate::security_headers;
use crate::state::ApiState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request its id, measures it, and completes the answer's headers.
pub(crate) async fn boundary(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let context = RequestContext::begin(traceparent);
    let method = request.method().clone();
    let path = request.path().to_owned();
    let state = request.app_data::<Data<ApiState>>().cloned();
    let mut response = context.clone().scope(answer(request, next)).await?;
    if let Some(state) = state {
        security_headers::add(&state.security, &path, response.headers_mut());
    }
    add_request_id(&context, response.headers_mut());
    record(&method, started, &response);
    log(&context, &method, &path, &response);
    Ok(response)
}

async fn answer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match refuse_query(&request) {
        Some(problem) => Ok(request
            .into_response(problem.error_response())
            .map_into_right_body()),
        None => next
            .call(request)
            .await
            .map(ServiceResponse::map_into_left_body),
    }
}

/// No route of the API reads a query, so any parameter is a caller's mistake (or a token on its way
/// into somebody's access log) and is named instead of ignored.
fn refuse_query(request: &ServiceRequest) -> Option<ApiError> {
    let query = request.query_string();
    if query.is_empty() || !request.path().starts_with("/v1/") {
        return None;
    }
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let detail = format!(
        "no route here takes the query parameter {:?}",
        shorten(name)
    );
    Some(ApiError::field(ProblemCode::QueryUnknown, name, detail).next("remove the query"))
}

fn add_request_id(context: &RequestContext, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        headers.insert(REQUEST_ID, value);
    }
}

/// Labels stay bounded: unknown paths share one route, unknown methods one word.
fn record<B>(method: &Method, started: Instant, response: &ServiceResponse<B>) {
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    let method = match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE => method.as_str(),
        _ => "other",
    };
    let status = response.status();
    let labels = [
        ("method", method),
        ("route", route.as_str()),
        ("status", status.as_str()),
    ];
    Metric::HttpRequests.increment(1, &labels);
    Metric::HttpRequestSeconds.observe(started.elapsed(), &[("route", route.as_str())]);
}

/// One line a request; failures of ours with their whole chain, here and nowhere else. Being briefly
/// unavailable is a warning: it mends itself, and probes repeat it every few seconds.
fn log<B>(context: &RequestContext, method: &Method, path: &str, response: &ServiceResponse<B>) {
    let status = response.status().as_u16();
    let error = response.response().error();
    let problem = error.and_then(|error| error.as_error::<ApiError>());
    let code = problem.map(|problem| problem.code().as_str());
    let (request_id, trace_id) = (&context.request_id, context.trace.trace_id());
    let chain = if status >= 500 {
        problem.map(chain)
    } else {
        None
    };
    match status {
        503 => {
            tracing::warn!(%method, path, status, code, request_id, trace_id, chain, "not available");
        }
        500.. => {
            tracing::error!(%method, path, status, code, request_id, trace_id, chain, "request failed");
        }
        _ => tracing::debug!(%method, path, status, code, request_id, trace_id, "request answered"),
    }
}

fn chain(error: &ApiError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
