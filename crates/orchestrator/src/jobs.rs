//! The kinds of jobs: ids only, each named for ever.

use std::time::Duration;

use job_queue::Job;
use serde::{Deserialize, Serialize};
use session_identity::ExamSessionId;
use session_lifecycle::EndingKind;

use crate::end::EndedBy;

/// Where jobs wait that call a runtime and may take seconds.
pub const ENVIRONMENT_QUEUE: &str = "environments";

/// Where jobs wait that only move rows: never behind a slow runtime.
pub const SESSION_QUEUE: &str = "sessions";

/// Creates one attempt of a session's environment; `created → initializing` on the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProvisionEnvironment {
    /// Whose environment.
    pub session_id: ExamSessionId,
    /// Which attempt, from 1.
    pub attempt: i32,
    /// Places where earlier attempts failed, as the runtime names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoid: Vec<String>,
}

impl Job for ProvisionEnvironment {
    const KIND: &'static str = "provision_environment";
    const QUEUE: &'static str = ENVIRONMENT_QUEUE;
    // The startup budget ends the attempts, not a number.
    const MAX_ATTEMPTS: i32 = 1_000;
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn key(&self) -> Option<String> {
        Some(format!(
            "{}:{}:{}",
            Self::KIND,
            self.session_id,
            self.attempt
        ))
    }

    fn session_id(&self) -> Option<ExamSessionId> {
        Some(self.session_id)
    }
}

/// Looks at one attempt until it is proven or classified; `initializing → ready`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObserveEnvironment {
    /// Whose environment.
    pub session_id: ExamSessionId,
    /// Which attempt.
    pub attempt: i32,
}

impl Job for ObserveEnvironment {
    const KIND: &'static str = "observe_environment";
    const QUEUE: &'static str = ENVIRONMENT_QUEUE;
    const MAX_ATTEMPTS: i32 = 1_000;
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn key(&self) -> Option<String> {
        Some(format!(
            "{}:{}:{}",
            Self::KIND,
            self.session_id,
            self.attempt
        ))
    }

    fn session_id(&self) -> Option<ExamSessionId> {
        Some(self.session_id)
    }
}

/// Starts the clock at the first attach; `ready → running`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActivateSession {
    /// Which session.
    pub session_id: ExamSessionId,
}

impl Job for ActivateSession {
    const KIND: &'static str = "activate_session";
    const QUEUE: &'static str = SESSION_QUEUE;
    const MAX_ATTEMPTS: i32 = 25;
    const TIMEOUT: Duration = Duration::from_secs(15);

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", Self::KIND, self.session_id))
    }

    fn session_id(&self) -> Option<ExamSessionId> {
        Some(self.session_id)
    }
}

/// Ends a session, whatever it is doing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TerminateSession {
    /// Which session.
    pub session_id: ExamSessionId,
    /// How it ends.
    pub kind: EndingKind,
    /// Who ends it.
    pub ended_by: EndedBy,
    /// What they said about it.
    #[serde(default)]
    pub note: Option<String>,
}

impl Job for TerminateSession {
    const KIND: &'static str = "terminate_session";
    const QUEUE: &'static str = SESSION_QUEUE;
    const MAX_ATTEMPTS: i32 = 100;
    const TIMEOUT: Duration = Duration::from_secs(15);

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", Self::KIND, self.session_id))
    }

    fn session_id(&self) -> Option<ExamSessionId> {
        Some(self.session_id)
    }
}

/// Destroys a session's environment and confirms that it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestroyEnvironment {
    /// Whose environment.
    pub session_id: ExamSessionId,
}

impl Job for DestroyEnvironment {
    const KIND: &'static str = "destroy_environment";
    const QUEUE: &'static str = ENVIRONMENT_QUEUE;
    // An environment is never forgotten: a day of attempts at the longest backoff, and the orphan
    // sweep enqueues it anew after that, from the row.
    const MAX_ATTEMPTS: i32 = 1_500;
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", Self::KIND, self.session_id))
    }

    fn session_id(&self) -> Option<ExamSessionId> {
        Some(self.session_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_the_words_that_rows_already_hold() {
        let kinds = [
            ProvisionEnvironment::KIND,
            ObserveEnvironment::KIND,
            ActivateSession::KIND,
            TerminateSession::KIND,
            DestroyEnvironment::KIND,
        ];
        assert_eq!(
            kinds,
            [
                "provision_environment",
                "observe_environment",
                "activate_session",
                "terminate_session",
                "destroy_environment"
            ]
        );
    }

    #[test]
    fn each_attempt_is_a_job_of_its_own_and_everything_else_is_one_per_session() {
        let session_id = ExamSessionId::generate();
        let first = ProvisionEnvironment {
            session_id,
            attempt: 1,
            avoid: Vec::new(),
        };
        let second = ProvisionEnvironment {
            attempt: 2,
            ..first.clone()
        };
        assert_ne!(first.key(), second.key());
        let destroy = DestroyEnvironment { session_id };
        assert_eq!(destroy.key(), DestroyEnvironment { session_id }.key());
        assert_eq!(destroy.session_id(), Some(session_id));
    }
}
