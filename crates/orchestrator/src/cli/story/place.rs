//! The environment, without the length of its evidence.

use chrono::{DateTime, Utc};
use execution_environment::{
    EnvironmentRecord, EnvironmentState, IsolationGap, Protection, RuntimeKind, RuntimeName,
    RuntimeUid,
};
use serde::Serialize;
use serde_json::Value;
use session_identity::ExecutionEnvironmentId;

/// Where the session takes place, or took place.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) id: ExecutionEnvironmentId,
    pub(super) state: EnvironmentState,
    pub(super) attempt: i32,
    pub(super) runtime: Option<RuntimeKind>,
    pub(super) runtime_name: Option<RuntimeName>,
    pub(super) runtime_uid: Option<RuntimeUid>,
    pub(super) isolation: Option<Isolation>,
    pub(super) last_signal: Option<Value>,
    pub(super) snapshot: Option<Value>,
    pub(super) creating_at: Option<DateTime<Utc>>,
    pub(super) created_in_runtime_at: Option<DateTime<Utc>>,
    pub(super) up_at: Option<DateTime<Utc>>,
    pub(super) destroying_at: Option<DateTime<Utc>>,
    pub(super) gone_at: Option<DateTime<Utc>>,
}

/// The verdict on the evidence.
#[derive(Debug, Serialize)]
pub(super) struct Isolation {
    /// Whether every protection was found as declared.
    pub(super) proven: bool,
    /// Protections found as declared.
    pub(super) held: usize,
    /// Protections looked for.
    pub(super) total: usize,
    /// What was missing.
    pub(super) gaps: Vec<IsolationGap>,
}

impl Isolation {
    fn of(evidence: &Value) -> Option<Self> {
        let gaps: Vec<IsolationGap> = serde_json::from_value(evidence.get("gaps")?.clone()).ok()?;
        let total = Protection::ALL.len();
        Some(Self {
            proven: gaps.is_empty(),
            held: total.saturating_sub(gaps.len()),
            total,
            gaps,
        })
    }
}

impl From<EnvironmentRecord> for Place {
    fn from(row: EnvironmentRecord) -> Self {
        Self {
            id: row.id,
            state: row.state,
            attempt: row.attempt,
            runtime: row.runtime,
            runtime_name: row.runtime_name,
            runtime_uid: row.runtime_uid,
            isolation: row.evidence.as_ref().and_then(Isolation::of),
            last_signal: row.last_signal,
            snapshot: row.snapshot,
            creating_at: row.creating_at,
            created_in_runtime_at: row.created_in_runtime_at,
            up_at: row.up_at,
            destroying_at: row.destroying_at,
            gone_at: row.gone_at,
        }
    }
}
