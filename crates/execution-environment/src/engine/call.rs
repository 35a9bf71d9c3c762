//! Every call to the engine has a limit in time, and every fault becomes a signal.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;
use failure_classification::{Signal, from_http_answer};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::RuntimeError;
use crate::excerpt::bounded;

/// Reads of one object. An engine under the load of 50 creations answers within two seconds.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// Creations, starts and removals, which an engine may serialise.
pub(super) const SLOW: Duration = Duration::from_secs(30);

/// Tells how a call failed.
#[derive(Debug)]
pub(super) struct Fault {
    operation: &'static str,
    kind: FaultKind,
}

#[derive(Debug)]
enum FaultKind {
    TimedOut(Duration),
    Client(Error),
}

/// Awaits a call for at most `limit`.
pub(super) async fn within<T>(
    operation: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault {
            operation,
            kind: FaultKind::Client(error),
        }),
        Err(_) => Err(Fault {
            operation,
            kind: FaultKind::TimedOut(limit),
        }),
    }
}

impl Fault {
    /// The HTTP status, where the engine answered.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.kind {
            FaultKind::Client(Error::DockerResponseServerError { status_code, .. }) => {
                Some(*status_code)
            }
            FaultKind::Client(_) | FaultKind::TimedOut(_) => None,
        }
    }

    /// What the engine or the client said, bounded.
    pub(super) fn message(&self) -> String {
        match &self.kind {
            FaultKind::Client(Error::DockerResponseServerError { message, .. }) => bounded(message),
            FaultKind::Client(error) => bounded(&error.to_string()),
            FaultKind::TimedOut(limit) => format!("no answer within {} s", limit.as_secs()),
        }
    }

    /// Reads an answer that the client could not, after `mend` has put known words for unknown ones.
    pub(super) fn salvage<T: DeserializeOwned>(self, mend: impl Fn(&mut Value)) -> Result<T, Self> {
        let FaultKind::Client(Error::JsonDataError { contents, .. }) = &self.kind else {
            return Err(self);
        };
        let Ok(mut answer) = serde_json::from_str(contents) else {
            return Err(self);
        };
        mend(&mut answer);
        serde_json::from_value(answer).map_err(|_| self)
    }

    /// Makes the error that this fault means where nothing more specific is known.
    pub(super) fn into_error(self, name: &str) -> RuntimeError {
        let message = self.message();
        let signal = match self.status() {
            Some(status) => from_http_answer(self.operation, name, status, &message),
            None => Signal::RuntimeUnavailable {
                operation: self.operation.to_owned(),
                status: None,
                message,
                retry_after_ms: None,
            },
        };
        self.into_error_with(signal)
    }

    /// Makes the error of a signal that the caller knows better.
    pub(super) fn into_error_with(self, signal: Signal) -> RuntimeError {
        let error = RuntimeError::new(self.operation, signal);
        match self.kind {
            FaultKind::Client(source) => error.with_source(source),
            FaultKind::TimedOut(_) => error,
        }
    }
}
