//! The joined row a document is derived from.

use chrono::{DateTime, Utc};
use execution_environment::EnvironmentState;
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};
use session_lifecycle::{EndingKind, SessionState};

use crate::error::StatusError;

/// A session with its exam, its environment and its latest extension, as one query reads them.
#[derive(Clone, Debug)]
pub(crate) struct StatusRow {
    pub(crate) id: ExamSessionId,
    pub(crate) user_id: String,
    pub(crate) environment_id: ExecutionEnvironmentId,
    pub(crate) exam_name: String,
    pub(crate) exam_version: i32,
    pub(crate) exam_title: String,
    pub(crate) state: String,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) initializing_at: Option<DateTime<Utc>>,
    pub(crate) ready_at: Option<DateTime<Utc>>,
    pub(crate) running_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) ready_by: DateTime<Utc>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) absolute_end: DateTime<Utc>,
    pub(crate) ending_kind: Option<String>,
    pub(crate) ending_actor: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) environment_state: EnvironmentState,
    pub(crate) environment_version: i64,
    pub(crate) attempt: i32,
    pub(crate) creating_at: Option<DateTime<Utc>>,
    pub(crate) created_in_runtime_at: Option<DateTime<Utc>>,
    pub(crate) gone_at: Option<DateTime<Utc>>,
    pub(crate) last_signal: Option<Value>,
    pub(crate) extended_seconds: i64,
    pub(crate) last_extension_seconds: Option<i32>,
    pub(crate) last_extension_actor: Option<String>,
    pub(crate) last_extension_at: Option<DateTime<Utc>>,
    pub(crate) server_time: DateTime<Utc>,
}

impl StatusRow {
    fn wrong(&self, column: &'static str, value: &str) -> StatusError {
        StatusError::Inconsistent {
            column,
            session_id: self.id,
            value: value.to_owned(),
        }
    }

    pub(crate) fn user(&self) -> Result<UserId, StatusError> {
        UserId::parse(&self.user_id).map_err(|_| self.wrong("exam_sessions.user_id", &self.user_id))
    }

    pub(crate) fn session_state(&self) -> Result<SessionState, StatusError> {
        self.state
            .parse()
            .map_err(|_| self.wrong("exam_sessions.state", &self.state))
    }

    pub(crate) fn ending(&self) -> Result<Option<EndingKind>, StatusError> {
        let Some(word) = &self.ending_kind else {
            return Ok(None);
        };
        match EndingKind::from_word(word) {
            Some(kind) => Ok(Some(kind)),
            None => Err(self.wrong("exam_sessions.ending_kind", word)),
        }
    }
}
