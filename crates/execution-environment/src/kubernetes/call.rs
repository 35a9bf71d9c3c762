//! Every call to the API server has a limit in time, and every fault becomes a signal.

use std::error::Error as StdError;
use std::time::Duration;

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Collected, Limited};
use kube::client::Body;
use serde::de::DeserializeOwned;

use super::KubernetesRuntime;
use super::refusal::Refusal;
use crate::RuntimeError;
use crate::excerpt::bounded;
use failure_classification::Signal;

/// Reads and writes of one object.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// Lists of a whole install.
pub(super) const SLOW: Duration = Duration::from_secs(30);

/// An object of ours has some kilobytes, a page of a list half a thousand of them.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A request, or why it could not be built, as kube's builders return it.
pub(super) type Built = Result<Request<Vec<u8>>, kube::core::request::Error>;

/// Tells how a call failed.
#[derive(Debug)]
pub(super) struct Fault {
    operation: &'static str,
    kind: FaultKind,
}

#[derive(Debug)]
enum FaultKind {
    Refused(Box<Refusal>),
    TimedOut(Duration),
    Client(Box<dyn StdError + Send + Sync>),
    Credentials(Box<dyn StdError + Send + Sync>),
}

/// Asks for an object.
pub(super) async fn ask<T: DeserializeOwned>(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    limit: Duration,
    request: Built,
) -> Result<T, Fault> {
    let fault = |kind| Fault { operation, kind };
    let whole = async {
        let answer = open(runtime, operation, request).await?;
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| fault(FaultKind::Client(error)))?;
        serde_json::from_slice(&body.to_bytes())
            .map_err(|error| fault(FaultKind::Client(error.into())))
    };
    tokio::time::timeout(limit, whole)
        .await
        .unwrap_or_else(|_| Err(fault(FaultKind::TimedOut(limit))))
}

/// Sends a request and hands over the answer if it is a good one. Bounded by whoever calls.
pub(super) async fn open(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    request: Built,
) -> Result<Response<Body>, Fault> {
    let fault = |kind| Fault { operation, kind };
    let request = request.map_err(|error| fault(FaultKind::Client(error.into())))?;
    let answer = runtime.client.send(request.map(Body::from)).await;
    let answer = answer.map_err(|error| fault(unsent(error)))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(fault(FaultKind::Refused(Box::new(refusal(answer).await))))
}

/// A token that cannot be read never gets as far as the server.
fn unsent(error: kube::Error) -> FaultKind {
    match error {
        kube::Error::Auth(_) => FaultKind::Credentials(error.into()),
        _ => FaultKind::Client(error.into()),
    }
}

async fn refusal(answer: Response<Body>) -> Refusal {
    let status = answer.status().as_u16();
    let header = answer.headers().get(header::RETRY_AFTER);
    let retry_after = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    // Without its text the status still tells most.
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    Refusal::read(status, retry_after, &body)
}

impl Fault {
    /// The HTTP status, where the server answered.
    pub(super) fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.kind {
            FaultKind::Refused(refusal) => Some(refusal),
            FaultKind::TimedOut(_) | FaultKind::Client(_) | FaultKind::Credentials(_) => None,
        }
    }

    /// Makes the error that this fault means where nothing more specific is known.
    pub(super) fn into_error(self, name: &str) -> RuntimeError {
        let operation = self.operation;
        let unavailable = |message| Signal::RuntimeUnavailable {
            operation: operation.to_owned(),
            status: None,
            message,
            retry_after_ms: None,
        };
        match self.kind {
            FaultKind::Refused(refusal) => {
                RuntimeError::new(operation, refusal.signal(operation, name)).with_source(*refusal)
            }
            FaultKind::TimedOut(limit) => {
                let message = format!("no answer within {} s", limit.as_secs());
                RuntimeError::new(operation, unavailable(message))
            }
            FaultKind::Client(source) => {
                let signal = unavailable(bounded(&chain(&*source)));
                RuntimeError::new(operation, signal).with_source(source)
            }
            FaultKind::Credentials(source) => {
                let signal = Signal::RuntimeUnauthorized {
                    operation: operation.to_owned(),
                    message: bounded(&chain(&*source)),
                };
                RuntimeError::new(operation, signal).with_source(source)
            }
        }
    }
}

/// An error with all that caused it, each said once: clients say "error" at the top and the
/// reason at the bottom.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(one) = next {
        let text = one.to_string();
        if !said.last().is_some_and(|last| last.contains(&text)) {
            said.push(text);
        }
        next = one.source();
    }
    said.join(": ")
}
