//! Whose doing the end of an attach was.

use serde::Serialize;

use crate::wire::CloseCode;

/// Whose doing an interruption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargedTo {
    /// The platform did not do its part; the time is owed.
    Platform,
    /// The candidate left, or was kept out by a rule of the exam.
    Candidate,
}

impl ChargedTo {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Candidate => "candidate",
        }
    }

    /// Whose doing it is that nobody was attached after this close; `None` where a newer attach has
    /// taken over, which says so itself.
    pub(super) const fn of(code: CloseCode) -> Option<Self> {
        match code {
            CloseCode::Superseded => None,
            CloseCode::Internal
            | CloseCode::Restart
            | CloseCode::Overloaded
            | CloseCode::EnvironmentNotReady
            | CloseCode::EnvironmentGone
            | CloseCode::ExecFailed => Some(Self::Platform),
            // Gone is also what a lost network between the two looks like: what of it is ours shows
            // in our own processes.
            CloseCode::GoingAway
            | CloseCode::ShellExited
            | CloseCode::Protocol
            | CloseCode::Text
            | CloseCode::TooBig
            | CloseCode::Ticket
            | CloseCode::NotAvailable
            | CloseCode::HelloLate
            | CloseCode::SessionEnded
            | CloseCode::LoginExpired
            // A page says itself where it resumes from.
            | CloseCode::CannotResume
            | CloseCode::SlowConsumer => Some(Self::Candidate),
        }
    }
}
