//! What the tables of this crate say, as values.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, JobId, UserId};

use crate::state::SessionState;

/// Holds one row of `exam_sessions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionRecord {
    /// The session.
    pub id: ExamSessionId,
    /// The candidate it belongs to, for its whole life.
    pub user_id: UserId,
    /// Its one environment, never reused.
    pub environment_id: ExecutionEnvironmentId,
    /// The exam taken.
    pub exam_name: String,
    /// The pinned version of the exam's definition.
    pub exam_version: i32,
    /// Where the session stands.
    pub state: SessionState,
    /// Grows by one with every change of the row; the compare-and-set token.
    pub version: i64,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
    /// When a worker began to prepare it.
    pub initializing_at: Option<DateTime<Utc>>,
    /// When its environment was proven.
    pub ready_at: Option<DateTime<Utc>>,
    /// When the candidate first attached.
    pub running_at: Option<DateTime<Utc>>,
    /// When it became terminal.
    pub ended_at: Option<DateTime<Utc>>,
    /// Past this moment it cannot become ready any more.
    pub ready_by: DateTime<Utc>,
    /// How long the exam lasts from the first attach; `None` for a fixed window.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Option<Duration>,
    /// When time runs out; `None` until the clock has started.
    pub ends_at: Option<DateTime<Utc>>,
    /// The moment no extension passes.
    pub absolute_end: DateTime<Utc>,
    /// How it ended; present exactly in `terminated`.
    pub ending: Option<Ending>,
    /// Who ended it, in the form of `Actor`; present exactly in `terminated`.
    pub ending_actor: Option<String>,
    /// What went wrong; present exactly in `failed`.
    pub failure: Option<FailureRecord>,
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serialize_with asks for"
)]
fn milliseconds<S: Serializer>(value: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    value.map(|duration| duration.as_millis()).serialize(out)
}

/// Says how a terminated session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The kind of ending.
    pub kind: EndingKind,
    /// A sentence by whoever ended it, if they left one.
    pub note: Option<String>,
}

/// Lists the ways an exam ends without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingKind {
    /// The exam platform reported the exam as finished.
    Completed,
    /// The deadline passed.
    TimeExpired,
    /// The candidate ended it.
    CandidateEnded,
    /// Staff ended it.
    OperatorEnded,
    /// The candidate never attached.
    NoShow,
}

impl EndingKind {
    /// All kinds; the CHECK of `exam_sessions.ending_kind` lists the same words.
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::TimeExpired,
        Self::CandidateEnded,
        Self::OperatorEnded,
        Self::NoShow,
    ];

    /// Returns the stored word, such as `time_expired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TimeExpired => "time_expired",
            Self::CandidateEnded => "candidate_ended",
            Self::OperatorEnded => "operator_ended",
            Self::NoShow => "no_show",
        }
    }

    /// Finds the kind a stored word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Says why a session failed. The words are failure-classification's; here they are opaque.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// `init`, `runtime`, `access` or `infra`.
    pub class: String,
    /// The stable code, such as `init.image_missing`.
    pub code: String,
    /// One sentence for operators.
    pub reason: String,
    /// What was seen, as JSON.
    pub evidence: Value,
}

/// Holds one row of `session_transitions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransitionRecord {
    /// The version the session reached by it.
    pub version: i64,
    /// The state before; `None` for the first row of a session.
    pub from: Option<SessionState>,
    /// The state after.
    pub to: SessionState,
    /// What led to it.
    pub cause: String,
    /// Who made it, in the form of `Actor`, such as `system:worker`.
    pub actor: String,
    /// The job in which it was made.
    pub job_id: Option<JobId>,
    /// The W3C trace it belongs to.
    pub trace: Option<String>,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Holds one row of `session_extensions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionRecord {
    /// The version the session reached by it.
    pub version: i64,
    /// By how many seconds the deadline moved.
    pub by_seconds: i32,
    /// The deadline before.
    pub previous_end: DateTime<Utc>,
    /// The deadline after.
    pub new_end: DateTime<Utc>,
    /// Who granted it, in the form of `Actor`.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The caller's key: the same key moves the deadline once.
    pub idempotency_key: String,
    /// When it was granted.
    pub at: DateTime<Utc>,
}
