//! The status document, as a reader of the API takes it.

use serde::Deserialize;

/// The parts of a status document that stories look at.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the document")]
pub struct Status {
    pub session_id: String,
    pub user_id: String,
    pub environment_id: String,
    pub state: String,
    pub revision: i64,
    pub stages: Vec<Stage>,
    pub attempt: i32,
    pub reason: Option<Reason>,
    pub ending: Option<Ending>,
    pub ends_at: Option<String>,
    pub remaining_ms: Option<i64>,
    pub startup_remaining_ms: Option<i64>,
    pub can_attach: bool,
    pub can_end: bool,
    pub environment: Environment,
}

/// One step of the preparation.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the document")]
pub struct Stage {
    pub name: String,
    pub state: String,
}

/// Why a session failed, or what keeps it from being ready.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the document")]
pub struct Reason {
    pub class: String,
    pub code: String,
    pub text: String,
}

/// How a session ended.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the document")]
pub struct Ending {
    pub kind: String,
    pub by: Option<String>,
}

/// What is confirmed to exist.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the document")]
pub struct Environment {
    pub state: String,
    pub gone_at: Option<String>,
}
