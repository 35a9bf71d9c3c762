//! Exit codes: one documented type for every command line.

use std::process::ExitCode;

/// How a command ended, as its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Ok = 0,
    /// Carrel's own fault.
    Bug = 1,
    /// The call was wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Not allowed, or in conflict with the present state.
    Denied = 4,
    /// May work later: the database or a runtime did not answer.
    Transient = 5,
    /// A confirmation was missing.
    Refused = 6,
    /// Some of it was done; stderr lists the rest.
    Partial = 7,
    /// Waited for something that did not come in time.
    TimedOut = 8,
    /// Looked, and found something wrong.
    Unhealthy = 9,
}

impl Exit {
    /// Gives the word that JSON errors carry as `class`.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bug => "bug",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Transient => "transient",
            Self::Refused => "refused",
            Self::Partial => "partial",
            Self::TimedOut => "timed_out",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
