//! An operation as people read it.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Names an operation: a small number, so that it can be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub i64);

impl std::fmt::Display for OperationId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Why a text names no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read `{text}` as an operation: a whole number, as `ops list` shows it")]
pub struct OperationIdError {
    text: String,
}

impl FromStr for OperationId {
    type Err = OperationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse();
        number.map(Self).map_err(|_| OperationIdError {
            text: text.to_owned(),
        })
    }
}

impl From<i64> for OperationId {
    fn from(id: i64) -> Self {
        Self(id)
    }
}

/// One row of `job_operations`.
#[derive(Clone, Debug, Serialize)]
pub struct OperationRecord {
    /// The operation.
    pub id: OperationId,
    /// What it does to each job.
    pub verb: String,
    /// Which jobs, as a [`crate::JobFilter`]; its times are absolute.
    pub filter: Value,
    /// The verb's own arguments.
    pub arguments: Value,
    /// Who asked for it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Jobs changed a second at most.
    pub rate: Option<i32>,
    /// The job that works it.
    pub job_id: Option<Uuid>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first chunk was worked.
    pub started_at: Option<DateTime<Utc>>,
    /// Jobs up to this id have been looked at.
    pub cursor: Option<Uuid>,
    /// Jobs that matched when it was asked for.
    pub matched: i64,
    /// Jobs changed so far.
    pub changed: i64,
    /// Jobs that did not fit the verb so far, by reason.
    pub skipped: Value,
    /// When it was cancelled.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// By whom.
    pub cancel_requested_by: Option<String>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How: `done`, `cancelled` or `failed`.
    pub outcome: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// For how many seconds it has been worked, by the database clock.
    pub worked_seconds: f64,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// No worker has begun it.
    Waiting,
    /// Some of it is done.
    Working,
    /// All of it is done.
    Done,
    /// An operator ended it; what was changed stays changed.
    Cancelled,
    /// It cannot be worked.
    Failed,
}

impl OperationState {
    /// Returns the word as it is serialized.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl OperationRecord {
    /// Tells how far it is.
    pub fn state(&self) -> OperationState {
        match (self.outcome.as_deref(), self.started_at) {
            (Some("done"), _) => OperationState::Done,
            (Some("cancelled"), _) => OperationState::Cancelled,
            (Some(_), _) => OperationState::Failed,
            (None, Some(_)) => OperationState::Working,
            (None, None) => OperationState::Waiting,
        }
    }

    /// Says whether nothing more will happen.
    pub const fn has_ended(&self) -> bool {
        self.finished_at.is_some()
    }

    /// Sums the jobs that were left alone.
    pub fn skipped_total(&self) -> i64 {
        let counts = self.skipped.as_object();
        let counts = counts.into_iter().flat_map(serde_json::Map::values);
        counts.filter_map(Value::as_i64).sum()
    }

    /// Counts the jobs that had changed or gone before they were looked at.
    pub fn passed_over(&self) -> i64 {
        let looked_at = self.changed + self.skipped_total();
        match self.state() {
            OperationState::Done => (self.matched - looked_at).max(0),
            _ => 0,
        }
    }

    /// Jobs looked at a second; `None` before the first.
    pub fn jobs_per_second(&self) -> Option<f64> {
        let looked_at = self.changed + self.skipped_total();
        (looked_at > 0 && self.worked_seconds > 0.0)
            .then(|| as_float(looked_at) / self.worked_seconds)
    }

    /// In how many seconds it ends if it goes on as it does; `None` if it has ended or not begun.
    pub fn eta_seconds(&self) -> Option<f64> {
        let left = self.matched - self.changed - self.skipped_total();
        let rate = self.jobs_per_second().filter(|_| !self.has_ended())?;
        Some(as_float(left.max(0)) / rate)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of jobs for people; a float is exact far beyond them"
)]
const fn as_float(count: i64) -> f64 {
    count as f64
}
