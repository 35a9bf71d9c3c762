//! Server-sent events, read one by one.

use std::time::Duration;

use reqwest::{Method, Response};
use tokio::time::Instant;

use crate::http::Http;
use crate::status::Status;

/// An open stream of a session's status.
#[derive(Debug)]
pub struct Events {
    response: Response,
    buffer: String,
}

impl Events {
    /// Opens the stream, after the revision seen last if there is one.
    pub async fn open(caller: &Http, session_id: &str, last: Option<i64>) -> Self {
        let path = format!("/v1/sessions/{session_id}/events");
        let mut request = caller.request(Method::GET, &path);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.expect("the api answers");
        assert_eq!(response.status(), 200);
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// Waits for the next status; `None` when the stream ends first.
    pub async fn next(&mut self, within: Duration) -> Option<Status> {
        let deadline = Instant::now() + within;
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (status, rest) = (parse(block), rest.to_owned());
                self.buffer = rest;
                if status.is_some() {
                    return status;
                }
            }
            let chunk = tokio::time::timeout_at(deadline, self.response.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("no event within {within:?}"));
            let chunk = chunk.expect("the stream is whole")?;
            self.buffer
                .push_str(std::str::from_utf8(&chunk).expect("events are text"));
        }
    }

    /// Reads on until a state is reached, and returns every status up to it.
    pub async fn until_state(&mut self, state: &str, within: Duration) -> Vec<Status> {
        let deadline = Instant::now() + within;
        let mut seen: Vec<Status> = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let status = self.next(left).await;
            let status = status.unwrap_or_else(|| panic!("the stream ended before {state}"));
            let reached = status.state == state;
            seen.push(status);
            if reached {
                return seen;
            }
        }
    }
}

/// Reads one event; a comment is none.
fn parse(block: &str) -> Option<Status> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    assert_eq!(field("event: "), Some("status"));
    let status: Status = serde_json::from_str(data).expect("the data is a status document");
    let id = field("id: ").and_then(|id| id.parse().ok());
    assert_eq!(id, Some(status.revision), "the event's id is its revision");
    Some(status)
}
