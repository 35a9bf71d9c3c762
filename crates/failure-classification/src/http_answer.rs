//! What a runtime's HTTP API means by its status.

use crate::Signal;

/// Reads the refusal of a runtime's API (a container engine's or Kubernetes') into a signal.
///
/// A 409 names no owner here: whoever got it reads the object and says whose it is.
pub fn from_http_answer(operation: &str, name: &str, status: u16, message: &str) -> Signal {
    let (operation, message) = (operation.to_owned(), message.to_owned());
    match status {
        400 | 413 | 422 => Signal::SpecInvalid { message },
        401 => Signal::RuntimeUnauthorized { operation, message },
        403 if speaks_of_quota(&message) => Signal::QuotaExceeded {
            message,
            cleanup_pending: false,
        },
        403 => Signal::PolicyDenied { message },
        409 => Signal::NameConflict {
            name: name.to_owned(),
            existing_uid: None,
            ours: false,
        },
        408 | 425 | 429 | 500..=599 => Signal::RuntimeUnavailable {
            operation,
            status: Some(status),
            message,
            retry_after_ms: None,
        },
        _ => Signal::Unlisted {
            source: operation,
            reason: status.to_string(),
            message,
        },
    }
}

fn speaks_of_quota(message: &str) -> bool {
    let lower = message.to_lowercase();
    ["exceeded quota", "limitrange", "limit range", "maximum "]
        .iter()
        .any(|w| lower.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_means_what_its_api_documents() {
        let cases = [
            (400, "bad", "spec_invalid"),
            (401, "", "runtime_unauthorized"),
            (
                403,
                "pods is forbidden: exceeded quota: exams",
                "quota_exceeded",
            ),
            (403, "violates PodSecurity \"restricted\"", "policy_denied"),
            (404, "", "unlisted"),
            (409, "in use", "name_conflict"),
            (422, "spec.x: required", "spec_invalid"),
            (429, "", "runtime_unavailable"),
            (500, "", "runtime_unavailable"),
            (503, "", "runtime_unavailable"),
        ];
        for (status, message, expected) in cases {
            let signal = from_http_answer("create", "carrel-1", status, message);
            assert_eq!(signal.kind(), expected, "{status} {message}");
        }
    }
}
