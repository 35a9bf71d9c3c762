//! What the API server's and the container runtime's refusals of an exec mean.

use crate::excerpt::bounded;
use failure_classification::Signal;
use serde::Deserialize;

/// A Status document, in the answer to a request or on the status channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(rename = "status")]
    outcome: String,
    message: String,
    reason: String,
    code: Option<u16>,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    kind: String,
    causes: Vec<Cause>,
    #[serde(rename = "retryAfterSeconds")]
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
}

/// Who was asked for what; it stands in the evidence.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The call, as a verb.
    pub(super) operation: &'static str,
    /// The uid that the environment has to have.
    pub(super) uid: String,
}

impl Status {
    /// Reads a document, or takes what is none (a kubelet's and a proxy's answers) for the message.
    pub(super) fn read(document: &[u8]) -> Self {
        serde_json::from_slice(document).unwrap_or_else(|_| Self {
            outcome: "Failure".to_owned(),
            message: String::from_utf8_lossy(document).into_owned(),
            ..Self::default()
        })
    }

    /// Whether the command ended with exit code 0. It may still have been the container runtime
    /// that ended: nothing may be concluded from it.
    pub(super) fn is_success(&self) -> bool {
        self.outcome == "Success"
    }

    /// Reads the answer to a request that opened no stream.
    pub(super) fn refused(&self, target: &Target, http_status: u16) -> Signal {
        let message = bounded(self.message.trim());
        match http_status {
            401 => Signal::RuntimeUnauthorized {
                operation: target.operation.to_owned(),
                message,
            },
            403 => Signal::ExecForbidden { message },
            404 if self.is_the_pod_s_absence() => Signal::Vanished {
                expected_uid: Some(target.uid.clone()),
                found_uid: None,
            },
            // The pod has no node yet or no such container, or the node's kubelet has just been
            // started and does not know its pods yet.
            400 | 404 | 409 => Signal::ExecTargetMissing { message },
            500 => self.failed(target, message),
            other => unavailable(target, other, message, self.details.retry_after_seconds),
        }
    }

    /// Reads the end of a stream that was not a success, with the end of standard error.
    pub(super) fn ended(&self, target: &Target, stderr: &[u8]) -> Signal {
        let exit_code = self.exit_code();
        let said = String::from_utf8_lossy(stderr);
        let said = said.trim();
        let message = if exit_code.is_some() && !said.is_empty() {
            bounded(said)
        } else {
            bounded(&self.message)
        };
        if exit_code.is_some() {
            return Signal::ShellUnavailable { exit_code, message };
        }
        match self.code {
            None | Some(500) => self.failed(target, message),
            Some(code) => self.refused(target, code),
        }
    }

    /// Only the API server, which names what it did not find, knows that there is no such pod.
    fn is_the_pod_s_absence(&self) -> bool {
        self.reason == "NotFound" && self.details.kind == "pods"
    }

    fn exit_code(&self) -> Option<i32> {
        let is_exit_code = |cause: &&Cause| cause.reason == "ExitCode";
        let cause = self.details.causes.iter().find(is_exit_code);
        let cause = cause.filter(|_| self.reason == "NonZeroExitCode")?;
        cause.message.parse().ok()
    }

    /// Internal errors have no word of their own, so their text decides.
    fn failed(&self, target: &Target, message: String) -> Signal {
        let says = |words: &[&str]| words.iter().any(|word| self.message.contains(word));
        // The kubelet and the container runtime in turn, about a container that does not run.
        if says(&[
            "container not found",
            "is not running",
            "not in running state",
            "container is not created or running",
        ]) {
            return Signal::ExecTargetMissing { message };
        }
        if says(&[
            "OCI runtime exec failed",
            "failed to start exec",
            "exec failed:",
        ]) {
            return Signal::ShellUnavailable {
                exit_code: None,
                message,
            };
        }
        unavailable(target, 500, message, 0)
    }
}

fn unavailable(target: &Target, status: u16, message: String, wait_seconds: u64) -> Signal {
    Signal::RuntimeUnavailable {
        operation: target.operation.to_owned(),
        status: Some(status),
        message,
        retry_after_ms: Some(wait_seconds.saturating_mul(1000)).filter(|wait| *wait > 0),
    }
}

#[cfg(test)]
pub(in crate::kubernetes) mod tests;
