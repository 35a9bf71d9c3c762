//! One row of `execution_environments`.

use std::fmt::{self, Display};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId};

use crate::{RuntimeKind, RuntimeName, RuntimeUid};

/// Says what is confirmed to exist of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EnvironmentState {
    /// Nothing was ever asked of a runtime.
    Absent,
    /// An attempt has begun; there may be something under its name.
    Creating,
    /// Proven and usable.
    Up,
    /// To be destroyed; there may still be something.
    Destroying,
    /// Confirmed not to exist, for good.
    Gone,
}

impl EnvironmentState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::Creating,
        Self::Up,
        Self::Destroying,
        Self::Gone,
    ];

    /// The state as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Up => "up",
            Self::Destroying => "destroying",
            Self::Gone => "gone",
        }
    }
}

impl Display for EnvironmentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says what a destruction waits for, where that is known and nothing can be done about it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum CleanupBlock {
    /// Its node answers nobody: what runs there can neither be ended nor be proven to have ended.
    NodeLost,
}

impl CleanupBlock {
    /// Every one.
    pub const ALL: [Self; 1] = [Self::NodeLost];

    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NodeLost => "node_lost",
        }
    }
}

impl Display for CleanupBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Holds one row of `execution_environments`; there is exactly one per session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnvironmentRecord {
    /// The environment's id.
    pub id: ExecutionEnvironmentId,
    /// The session it serves.
    pub session_id: ExamSessionId,
    /// What is confirmed to exist.
    pub state: EnvironmentState,
    /// Grows by one with every change of the row.
    pub version: i64,
    /// The latest attempt; 0 before the first.
    pub attempt: i32,
    /// The runtime of the latest attempt.
    pub runtime: Option<RuntimeKind>,
    /// The name of the latest attempt.
    pub runtime_name: Option<RuntimeName>,
    /// The uid of the latest attempt, once known.
    pub runtime_uid: Option<RuntimeUid>,
    /// What was asked for: an [`EnvironmentSpec`](crate::EnvironmentSpec).
    pub spec: Option<Value>,
    /// The isolation report, the declaration and the verdict.
    pub evidence: Option<Value>,
    /// The last signal that kept it from being ready.
    pub last_signal: Option<Value>,
    /// Status and log tail, taken before destruction.
    pub snapshot: Option<Value>,
    /// When the row was written.
    pub created_at: DateTime<Utc>,
    /// When the latest attempt began.
    pub creating_at: Option<DateTime<Utc>>,
    /// When the runtime had answered the latest attempt's creation.
    pub created_in_runtime_at: Option<DateTime<Utc>>,
    /// When it was proven.
    pub up_at: Option<DateTime<Utc>>,
    /// When its destruction began.
    pub destroying_at: Option<DateTime<Utc>>,
    /// When it was confirmed gone.
    pub gone_at: Option<DateTime<Utc>>,
    /// What keeps its destruction from being confirmed, as last seen.
    pub cleanup_blocked: Option<CleanupBlock>,
    /// Since when.
    pub cleanup_blocked_at: Option<DateTime<Utc>>,
    /// When it was deleted without grace because its destruction hung.
    pub forced_at: Option<DateTime<Utc>>,
}
