//! What a caller is told before there is a WebSocket: a problem document with a stable code.

use std::error::Error;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use environment_access::{Denial, PublicAnswer, TokenError};
use serde_json::json;
use thiserror::Error as ThisError;
use uuid::Uuid;

/// Why a request was refused or failed.
#[derive(Debug, ThisError)]
pub(crate) enum Problem {
    /// 401: the login is missing or not valid; which, is for the log. 503 while there are no keys
    /// to tell.
    #[error("accept a login")]
    Login(#[source] TokenError),
    /// 403: the page's origin is not on the list.
    #[error("accept the origin of a page")]
    Origin,
    /// 404 or 410: the session is not there for this caller, or has ended.
    #[error("admit a caller: {}", .0.detail)]
    Denied(Denial),
    /// 404: the path names no session.
    #[error("read the session's id")]
    NoSuchSession,
    /// 400: not the beginning of a WebSocket.
    #[error("begin a WebSocket")]
    NotWebSocket,
    /// 426: the subprotocol is not offered.
    #[error("agree on a subprotocol")]
    Subprotocol,
    /// 429: too many tickets.
    #[error("issue another ticket")]
    TooManyTickets {
        /// When the next one is possible.
        retry_after: Duration,
    },
    /// 503: this process stops, or serves as many as it can.
    #[error("serve another terminal")]
    Busy,
    /// 503: the database does not answer.
    #[error("ask the database")]
    Database(#[from] sqlx::Error),
}

impl Problem {
    /// Status, code and sentence, as the caller is told them.
    fn answer(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Login(TokenError::KeysUnavailable) | Self::Database(_) => (
                503,
                "service.unavailable",
                "The exam service is briefly unavailable.",
            ),
            Self::Login(_) => (401, TokenError::PUBLIC_CODE, TokenError::PUBLIC_MESSAGE),
            Self::Origin => (
                403,
                "origin.not_allowed",
                "The page's origin may not do this.",
            ),
            Self::Denied(denial) => public(denial.public()),
            Self::NoSuchSession => public(PublicAnswer::NotAvailable),
            Self::NotWebSocket => (400, "websocket.required", "This address speaks WebSocket."),
            Self::Subprotocol => (
                426,
                "websocket.subprotocol",
                "Offer the subprotocol carrel-terminal.v1.",
            ),
            Self::TooManyTickets { .. } => (
                429,
                "ticket.too_many",
                "Too many tickets were taken; wait a moment.",
            ),
            Self::Busy => (
                503,
                "terminal.busy",
                "No terminal can be opened here for a moment.",
            ),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyTickets { retry_after } => Some(retry_after.as_secs() + 1),
            Self::Busy => Some(2),
            Self::Login(TokenError::KeysUnavailable) | Self::Database(_) => Some(1),
            _ => None,
        }
    }

    /// Logs the true reason, with the id the caller is told.
    fn log(&self, request_id: Uuid) {
        match (self, self.source()) {
            (Self::Login(source), _) => {
                tracing::info!(%request_id, code = source.code(), "a login was refused");
            }
            (Self::Database(source), _) => {
                tracing::error!(%request_id, error = %source, "the database failed");
            }
            _ => tracing::info!(%request_id, reason = %self, "a request was refused"),
        }
    }
}

const fn public(answer: PublicAnswer) -> (u16, &'static str, &'static str) {
    (answer.status(), answer.code(), answer.message())
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.answer().0).expect("the table holds HTTP statuses only")
    }

    fn error_response(&self) -> HttpResponse {
        let request_id = Uuid::now_v7();
        self.log(request_id);
        let (status, code, detail) = self.answer();
        let mut response = HttpResponse::build(self.status_code());
        response
            .content_type("application/problem+json")
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match self {
            Self::Login(_) if status == 401 => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::Subprotocol => {
                response.insert_header((header::UPGRADE, "websocket"));
            }
            _ => {}
        }
        response.json(json!({
            "type": format!("urn:carrel:problem:{code}"),
            "title": detail,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": request_id,
        }))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use environment_access::DenialCode;

    use super::*;

    async fn told(problem: Problem) -> (u16, serde_json::Value) {
        let response = problem.error_response();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body()).await.unwrap();
        let mut document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        document
            .as_object_mut()
            .unwrap()
            .remove("request_id")
            .unwrap();
        (status, document)
    }

    #[actix_web::test]
    async fn missing_foreign_unstarted_and_misspelt_sessions_are_told_the_same() {
        let denied = |code, detail| Problem::Denied(Denial { code, detail });
        let expected = told(Problem::NoSuchSession).await;
        assert_eq!(expected.0, 404);
        let alike = [
            denied(DenialCode::Denied, "the session does not exist"),
            denied(DenialCode::Denied, "the session belongs to somebody else"),
            denied(DenialCode::NotReady, "the session is not ready yet"),
        ];
        for problem in alike {
            assert_eq!(told(problem).await, expected);
        }
    }

    #[actix_web::test]
    async fn every_bad_login_is_told_the_same() {
        let expected = told(Problem::Login(TokenError::Missing)).await;
        assert_eq!(expected.0, 401);
        for error in [
            TokenError::Expired,
            TokenError::AlgorithmNone,
            TokenError::WrongAudience,
        ] {
            assert_eq!(told(Problem::Login(error)).await, expected);
        }
    }

    #[actix_web::test]
    async fn a_login_that_cannot_be_verified_may_be_tried_again() {
        let problem = Problem::Login(TokenError::KeysUnavailable);
        let response = problem.error_response();
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
        let (status, document) = told(problem).await;
        assert_eq!(status, 503);
        assert_eq!(document["code"], "service.unavailable");
    }
}
