//! The words every failure is described with.

use serde::{Deserialize, Serialize};

/// Names which part of the promise was broken. Stored as text in `exam_sessions.failure_class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The environment cannot become ready by its own definition.
    Init,
    /// A ready environment stopped by its own behaviour or limits.
    Runtime,
    /// The candidate could not be admitted or attached while the environment is fine.
    Access,
    /// The platform did not do its part.
    Infra,
}

impl FailureClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Init, Self::Runtime, Self::Access, Self::Infra];

    /// Returns the stored word, which is also the first part of every code of the class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Runtime => "runtime",
            Self::Access => "access",
            Self::Infra => "infra",
        }
    }
}

impl std::fmt::Display for FailureClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says whose doing a failure is: what the candidate may be told, and whose budget pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The candidate's own commands or limits.
    Candidate,
    /// The author of the exam's definition or image.
    Environment,
    /// Carrel, the machines or the network under it.
    Platform,
    /// Nobody: the exam simply ended.
    Nobody,
}

impl Attribution {
    /// Returns the word used in documents and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Environment => "environment",
            Self::Platform => "platform",
            Self::Nobody => "nobody",
        }
    }
}

impl std::fmt::Display for Attribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says whether another attempt may help.
///
/// Every retry stays inside the session's startup budget and its cap on attempts; the rule only
/// says whether one may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryRule {
    /// The same again gives the same: fail now.
    Never,
    /// One more attempt, since the cause is sometimes passing.
    Once,
    /// As often as budget and attempts allow.
    WithinBudget,
    /// Keep the attempt and look again; the cause goes away by itself or the budget ends.
    Wait,
}

/// How many environments may be tried for one session, or one trial of an exam, inside its startup
/// budget.
pub const MAX_ATTEMPTS_PER_SESSION: i32 = 3;

impl RetryRule {
    /// Tells whether another environment may be tried after this attempt, the first being 1.
    pub const fn allows_another_after(self, attempt: i32) -> bool {
        match self {
            Self::Never | Self::Wait => false,
            Self::Once => attempt < 2,
            Self::WithinBudget => attempt < MAX_ATTEMPTS_PER_SESSION,
        }
    }

    /// Returns the word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::WithinBudget => "within_budget",
            Self::Wait => "wait",
        }
    }
}

/// Tells on which side of the ready line a signal was seen.
///
/// After it nothing is retried: a lost environment held a candidate's work and is never silently
/// made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The session is created or initializing.
    BeforeReady,
    /// The session is or was ready or running.
    AfterReady,
}
