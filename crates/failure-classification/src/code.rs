//! The closed list of failure codes.

use serde::{Deserialize, Serialize};

use crate::FailureClass;

/// Reports a text that is not a failure code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a failure code")]
pub struct UnknownCode {
    /// What was given instead.
    pub text: String,
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $variant:ident = $class:ident $text:literal,)+) => {
        /// Names one way a session can fail or a candidate be turned away.
        ///
        /// The text form (`init.image_missing`) is stored, shown to operators and used as a
        /// metric label; it never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FailureCode {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl FailureCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the stable text form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Returns the class, which is also the first part of the text form.
            pub const fn class(self) -> FailureClass {
                match self { $(Self::$variant => FailureClass::$class,)+ }
            }
        }
    };
}

failure_codes! {
    /// The image reference does not parse.
    InitImageNameInvalid = Init "init.image_name_invalid",
    /// The image source answered that there is no such image for this platform.
    InitImageMissing = Init "init.image_missing",
    /// The image source refused our credentials.
    InitImageDenied = Init "init.image_denied",
    /// The image was found but cannot be used: corrupt or not signed as required.
    InitImageRejected = Init "init.image_rejected",
    /// The definition names configuration that does not exist or is not allowed.
    InitConfigInvalid = Init "init.config_invalid",
    /// The runtime could not start the declared command.
    InitStartFailed = Init "init.start_failed",
    /// A preparation step of the environment failed.
    InitSetupFailed = Init "init.setup_failed",
    /// The environment stopped before it was ready.
    InitExitedEarly = Init "init.exited_early",
    /// The environment ran out of memory before it was ready.
    InitMemoryTooSmall = Init "init.memory_too_small",
    /// The environment runs but never answered as ready.
    InitNotReady = Init "init.not_ready",
    /// The runtime refused the specification itself.
    InitSpecInvalid = Init "init.spec_invalid",
    /// The environment used more memory than its limit.
    RuntimeMemoryExceeded = Runtime "runtime.memory_exceeded",
    /// The environment used more disk than its limit.
    RuntimeDiskExceeded = Runtime "runtime.disk_exceeded",
    /// The environment's first process ended.
    RuntimeExited = Runtime "runtime.exited",
    /// The runtime's own deadline came before the session's.
    RuntimeDeadlineMismatch = Runtime "runtime.deadline_mismatch",
    /// No ticket, wrong user or wrong state; answered like an absent session.
    AccessDenied = Access "access.denied",
    /// The session is still being prepared.
    AccessNotReady = Access "access.not_ready",
    /// The session has ended.
    AccessEnded = Access "access.ended",
    /// Another tab or machine writes to this terminal.
    AccessInUse = Access "access.in_use",
    /// The terminal process lacks the right to attach.
    AccessExecForbidden = Access "access.exec_forbidden",
    /// There is nothing running to attach to.
    AccessExecTarget = Access "access.exec_target",
    /// The shell or the keeper could not be started.
    AccessShellUnavailable = Access "access.shell_unavailable",
    /// The stream to the shell broke; the shell itself goes on.
    AccessStreamLost = Access "access.stream_lost",
    /// The policy asks for a recording and none can be made.
    AccessRecordingUnavailable = Access "access.recording_unavailable",
    /// The image source does not answer or throttles.
    InfraImageSourceUnavailable = Infra "infra.image_source_unavailable",
    /// The machine must not pull and does not hold the image.
    InfraImageNotPreloaded = Infra "infra.image_not_preloaded",
    /// The environment is weaker than declared, or that could not be ruled out.
    InfraIsolationUnproven = Infra "infra.isolation_unproven",
    /// No machine has room.
    InfraCapacity = Infra "infra.capacity",
    /// Something outside Carrel holds the placement back.
    InfraGated = Infra "infra.gated",
    /// The chosen machine refused the environment.
    InfraNodeRejected = Infra "infra.node_rejected",
    /// The chosen machine could not prepare network or volumes.
    InfraNodeSetup = Infra "infra.node_setup",
    /// A quota of the runtime is used up.
    InfraQuota = Infra "infra.quota",
    /// A policy or a missing right refused the creation.
    InfraPolicyDenied = Infra "infra.policy_denied",
    /// Something that is not ours bears the environment's name.
    InfraNameConflict = Infra "infra.name_conflict",
    /// The runtime's API does not answer, throttles or fails.
    InfraApiUnavailable = Infra "infra.api_unavailable",
    /// The runtime's API refuses our credentials.
    InfraApiAuth = Infra "infra.api_auth",
    /// The database does not answer; work pauses and nothing is decided.
    InfraDatabaseUnavailable = Infra "infra.database_unavailable",
    /// The machine ran short of a resource and evicted the environment.
    InfraNodePressure = Infra "infra.node_pressure",
    /// A more important workload took the place.
    InfraDisruptedPreemption = Infra "infra.disrupted_preemption",
    /// Somebody evicted the environment, for instance to drain its machine.
    InfraDisruptedEviction = Infra "infra.disrupted_eviction",
    /// The machine was marked unusable and its environments deleted.
    InfraDisruptedTaint = Infra "infra.disrupted_taint",
    /// The machine shut down.
    InfraDisruptedShutdown = Infra "infra.disrupted_shutdown",
    /// The environment was collected after its machine disappeared.
    InfraDisruptedCollection = Infra "infra.disrupted_collection",
    /// The machine stopped answering.
    InfraNodeLost = Infra "infra.node_lost",
    /// The environment is no longer there, and nobody of ours removed it.
    InfraPodVanished = Infra "infra.pod_vanished",
    /// A job of this session used up its attempts.
    InfraJobExhausted = Infra "infra.job_exhausted",
    /// Nothing in the table fits; every occurrence is an alert.
    InfraUnclassified = Infra "infra.unclassified",
}

impl std::fmt::Display for FailureCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for FailureCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let known = Self::ALL.iter().find(|code| code.as_str() == text);
        known.copied().ok_or_else(|| UnknownCode {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_begins_with_its_class_and_parses_back() {
        for code in FailureCode::ALL {
            let (class, name) = code.as_str().split_once('.').expect("two parts");
            assert_eq!(class, code.class().as_str());
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
            assert_eq!(code.as_str().parse::<FailureCode>(), Ok(*code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn no_two_codes_share_a_text() {
        let texts: BTreeSet<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), FailureCode::ALL.len());
    }

    #[test]
    fn an_unknown_code_is_refused_by_name() {
        let error = "init.nonsense".parse::<FailureCode>().unwrap_err();
        assert_eq!(error.to_string(), "\"init.nonsense\" is not a failure code");
    }
}
