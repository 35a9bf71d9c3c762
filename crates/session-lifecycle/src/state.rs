//! The six states of a session and the one table of what may follow what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Says where a candidate's exam stands; `exam_sessions.state` holds the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Requested and recorded; no worker has claimed it yet.
    Created,
    /// A worker is creating the environment and proving that it is isolated.
    Initializing,
    /// The environment is proven; the candidate may attach.
    Ready,
    /// The candidate has attached at least once.
    Running,
    /// Ended as exams end: time, candidate, operator. Final.
    Terminated,
    /// Ended by a classified failure. Final.
    Failed,
}

use SessionState::{Created, Failed, Initializing, Ready, Running, Terminated};

/// Every transition there is, as (from, to). The database trigger holds the same table.
///
/// No state follows itself: repeating a transition is refused, so two writers who race for one
/// learn which of them made it.
pub const TRANSITIONS: &[(SessionState, SessionState)] = &[
    (Created, Initializing),
    (Created, Terminated),
    (Created, Failed),
    (Initializing, Ready),
    (Initializing, Terminated),
    (Initializing, Failed),
    (Ready, Running),
    (Ready, Terminated),
    (Ready, Failed),
    (Running, Terminated),
    (Running, Failed),
];

/// Tells whether [`TRANSITIONS`] holds `(from, to)`.
pub fn is_allowed(from: SessionState, to: SessionState) -> bool {
    TRANSITIONS.contains(&(from, to))
}

/// Lists the states that may follow `from`, in table order; empty for a final state.
pub fn allowed_from(from: SessionState) -> Vec<SessionState> {
    TRANSITIONS
        .iter()
        .filter(|(start, _)| *start == from)
        .map(|(_, end)| *end)
        .collect()
}

impl SessionState {
    /// All states, in the order a session meets them.
    pub const ALL: [Self; 6] = [Created, Initializing, Ready, Running, Terminated, Failed];
    /// States nothing follows.
    pub const TERMINAL: [Self; 2] = [Terminated, Failed];
    /// States in which the candidate may open a terminal.
    pub const ATTACHABLE: [Self; 2] = [Ready, Running];
    /// States that count as an exam in progress: at most one per candidate and exam.
    pub const LIVE: [Self; 4] = [Created, Initializing, Ready, Running];

    /// Returns the stored word, such as `initializing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Created => "created",
            Initializing => "initializing",
            Ready => "ready",
            Running => "running",
            Terminated => "terminated",
            Failed => "failed",
        }
    }

    /// Tells whether nothing follows this state.
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// Tells whether the candidate may open a terminal in this state.
    pub fn is_attachable(self) -> bool {
        Self::ATTACHABLE.contains(&self)
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reports a word that names no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no session state; the states are created, initializing, ready, running, terminated, failed"
)]
pub struct UnknownState(pub String);

impl FromStr for SessionState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| UnknownState(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_terminal_state_and_every_live_state_reaches_one() {
        for state in SessionState::ALL {
            let next = allowed_from(state);
            assert_eq!(state.is_terminal(), next.is_empty(), "{state}");
            assert_eq!(!state.is_terminal(), next.contains(&Terminated), "{state}");
            assert_eq!(!state.is_terminal(), next.contains(&Failed), "{state}");
        }
    }

    #[test]
    fn live_and_terminal_share_nothing_and_make_up_all() {
        let mut parts = SessionState::LIVE.to_vec();
        parts.extend(SessionState::TERMINAL);
        assert_eq!(parts, SessionState::ALL);
        assert!(
            SessionState::ATTACHABLE
                .iter()
                .all(|state| SessionState::LIVE.contains(state))
        );
    }

    #[test]
    fn every_transition_goes_forward_and_stands_once_in_the_table() {
        for (index, (from, to)) in TRANSITIONS.iter().enumerate() {
            assert!(from < to, "{from} to {to}");
            assert!(
                !TRANSITIONS[..index].contains(&(*from, *to)),
                "{from} to {to} twice"
            );
        }
    }

    #[test]
    fn words_round_trip_and_other_words_are_refused() {
        for state in SessionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for word in ["", "Created", "ready ", "done", "created\0"] {
            assert_eq!(
                word.parse::<SessionState>(),
                Err(UnknownState(word.to_owned()))
            );
        }
    }
}
