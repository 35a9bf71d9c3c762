//! What an exam wants to be kept.

use serde::Serialize;

/// Whether a terminal is recorded, and what comes first when that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingPolicy {
    /// Nothing is kept.
    Off,
    /// The candidate goes on; what could not be kept is a gap on record.
    FailOpen,
    /// Nothing happens that is not kept: the terminal waits.
    FailClosed,
}

impl RecordingPolicy {
    /// Returns the word that rows and documents hold.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::FailOpen => "fail_open",
            Self::FailClosed => "fail_closed",
        }
    }
}
