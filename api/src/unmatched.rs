//! Paths and methods that no route answers.

use actix_web::dev::ResourceDef;
use actix_web::{HttpRequest, HttpResponse};

use crate::openapi;
use crate::problem::{ApiError, shorten};
use crate::problem_code::ProblemCode;

/// Answers 405 with the methods that a known path does answer, and 404 for any other path.
pub(crate) async fn answer(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let methods = methods_of(request.path());
    // A file that is not there comes here too, with a method that its folder does answer.
    if methods.is_empty() || methods.contains(&request.method().as_str()) {
        return Err(unknown(&request));
    }
    let allow = methods.join(", ");
    let detail = format!(
        "{} is not answered here",
        shorten(request.method().as_str())
    );
    Err(ApiError::new(ProblemCode::RouteMethod, detail)
        .next(format!("the methods are: {allow}"))
        .allow(allow))
}

/// Makes the answer for a path that is none of ours.
pub(crate) fn unknown(request: &HttpRequest) -> ApiError {
    let detail = format!("there is no route {:?}", shorten(request.path()));
    ApiError::new(ProblemCode::RouteUnknown, detail).next("the routes are listed at /docs/")
}

/// Reads the methods of a path from the document of routes, which is the one list of them.
fn methods_of(path: &str) -> Vec<&'static str> {
    let document = openapi::document();
    let item = document
        .paths
        .paths
        .iter()
        .find(|(pattern, _)| ResourceDef::new(pattern.as_str()).is_match(path));
    let Some((_, item)) = item else {
        return served_beside(path);
    };
    let mut methods = Vec::new();
    if item.get.is_some() {
        methods.push("GET");
    }
    if item.post.is_some() {
        methods.push("POST");
    }
    methods
}

/// The pages that are not part of the API.
fn served_beside(path: &str) -> Vec<&'static str> {
    let page = path.starts_with("/exam/") || path.starts_with("/assets/");
    let docs = path.starts_with("/docs/") || path == "/openapi.json";
    if page || docs {
        vec!["GET"]
    } else {
        Vec::new()
    }
}
