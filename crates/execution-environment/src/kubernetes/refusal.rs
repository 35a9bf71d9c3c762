//! What the API server's refusals mean.

use std::fmt;
use std::time::Duration;

use crate::excerpt::bounded;
use failure_classification::{Signal, from_http_answer};
use kube::core::Status;

/// An answer that is none of the good ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The reason word of its `Status`; empty where the answer has none.
    pub(super) reason: String,
    /// The kind of object it is about; empty where it names none.
    kind: String,
    /// What it said, bounded.
    pub(super) message: String,
    /// How long to wait before the next try, where it says so.
    pub(super) retry_after: Option<Duration>,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.reason, self.message)
    }
}

impl Refusal {
    /// Reads an answer. What stands before the API server, and some of its own filters, answer in
    /// plain words instead of a `Status`.
    pub(super) fn read(status: u16, retry_after: Option<u64>, body: &[u8]) -> Self {
        let Ok(document) = serde_json::from_slice::<Status>(body) else {
            return Self {
                status,
                message: bounded(String::from_utf8_lossy(body).trim()),
                retry_after: retry_after.map(Duration::from_secs),
                ..Self::default()
            };
        };
        let details = document.details.as_ref();
        let said = details.map_or(0, |details| u64::from(details.retry_after_seconds));
        Self {
            status,
            reason: document.reason,
            kind: details
                .map(|details| details.kind.clone())
                .unwrap_or_default(),
            message: bounded(&document.message),
            retry_after: retry_after
                .or((said > 0).then_some(said))
                .map(Duration::from_secs),
        }
    }

    /// Tells whether something else already bears the name.
    pub(super) fn is_name_taken(&self) -> bool {
        self.status == 409 && self.reason == "AlreadyExists"
    }

    /// Tells whether there is no object of a kind, as only the API server knows.
    pub(super) fn is_absence_of(&self, kind: &str) -> bool {
        self.status == 404 && self.reason == "NotFound" && self.kind == kind
    }

    /// Tells whether a deletion was refused because its uid is not that of the object.
    pub(super) fn is_other_uid(&self) -> bool {
        self.status == 409 && self.reason == "Conflict"
    }

    /// Reads the refusal into the signal it means.
    pub(super) fn signal(&self, operation: &str, name: &str) -> Signal {
        match self.status {
            403 if self.misses_service_account() => self.unavailable(operation),
            // Two creations charged one quota at the same moment: nothing bears the name.
            409 if !self.is_name_taken() => self.unavailable(operation),
            // Who creates names nothing that could be missing but the namespace; what is created
            // into one that is being deleted is refused as forbidden, which means the same.
            404 => Signal::PolicyDenied {
                message: self.message.clone(),
            },
            _ => self.timed(from_http_answer(
                operation,
                name,
                self.status,
                &self.message,
            )),
        }
    }

    /// A namespace gets its `default` service account a moment after it was made, and until then
    /// every pod in it is refused as forbidden.
    fn misses_service_account(&self) -> bool {
        self.message.contains("looking up service account")
    }

    fn unavailable(&self, operation: &str) -> Signal {
        self.timed(Signal::RuntimeUnavailable {
            operation: operation.to_owned(),
            status: Some(self.status),
            message: self.message.clone(),
            retry_after_ms: None,
        })
    }

    fn timed(&self, signal: Signal) -> Signal {
        let wait = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match signal {
            Signal::RuntimeUnavailable {
                operation,
                status,
                message,
                ..
            } => Signal::RuntimeUnavailable {
                operation,
                status,
                message,
                retry_after_ms: self.retry_after.map(wait),
            },
            other => other,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
