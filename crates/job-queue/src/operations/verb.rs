//! What is done to each job.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{JobState, job::millis};

/// What is done to each job of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkVerb {
    /// Dead and cancelled jobs become ready again, at times spread evenly over this long.
    Retry {
        /// How long from now the first may start.
        after: Duration,
        /// Zero: all at once.
        spread: Duration,
    },
    /// Ready jobs are cancelled, running ones asked to stop.
    Cancel,
    /// Ready jobs may start this long from now.
    Snooze {
        /// How long.
        lasts: Duration,
    },
    /// Ready jobs wait in another queue.
    Move {
        /// The queue.
        to: String,
    },
    /// Jobs that have ended are deleted, with their history.
    Purge,
}

impl BulkVerb {
    /// Returns the stored word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Cancel => "cancel",
            Self::Snooze { .. } => "snooze",
            Self::Move { .. } => "move",
            Self::Purge => "purge",
        }
    }

    /// Says whether jobs in this state are changed by it.
    pub(crate) const fn fits(&self, state: JobState) -> bool {
        match self {
            Self::Retry { .. } => matches!(state, JobState::Dead | JobState::Cancelled),
            Self::Cancel => state.is_live(),
            Self::Snooze { .. } | Self::Move { .. } => matches!(state, JobState::Ready),
            Self::Purge => !state.is_live(),
        }
    }

    /// Returns what `job_actions` calls it for one job.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "job.retry",
            Self::Cancel => "job.cancel",
            Self::Snooze { .. } => "job.snooze",
            Self::Move { .. } => "job.move",
            Self::Purge => "job.purge",
        }
    }

    pub(super) fn arguments(&self) -> Value {
        match self {
            Self::Retry { after, spread } => {
                json!({ "after_ms": millis(*after), "spread_ms": millis(*spread) })
            }
            Self::Snooze { lasts } => json!({ "snooze_ms": millis(*lasts) }),
            Self::Move { to } => json!({ "to": to }),
            Self::Cancel | Self::Purge => json!({}),
        }
    }

    /// Reads the stored form; `None` where another build wrote what this one does not know.
    pub(super) fn from_stored(verb: &str, arguments: &Value) -> Option<Self> {
        let lasts = |name: &str| arguments[name].as_u64().map(Duration::from_millis);
        Some(match verb {
            "retry" => Self::Retry {
                // An operation of before knew of none.
                after: lasts("after_ms").unwrap_or_default(),
                spread: lasts("spread_ms")?,
            },
            "cancel" => Self::Cancel,
            "snooze" => Self::Snooze {
                lasts: lasts("snooze_ms")?,
            },
            "move" => Self::Move {
                to: arguments["to"].as_str()?.to_owned(),
            },
            "purge" => Self::Purge,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_read_as_it_was_stored() {
        let lasts = Duration::from_secs(90);
        let to = "bulk".to_owned();
        for verb in [
            BulkVerb::Retry {
                after: lasts,
                spread: lasts * 2,
            },
            BulkVerb::Cancel,
            BulkVerb::Snooze { lasts },
            BulkVerb::Move { to },
            BulkVerb::Purge,
        ] {
            let read = BulkVerb::from_stored(verb.as_str(), &verb.arguments());
            assert_eq!(read, Some(verb));
        }
        assert_eq!(BulkVerb::from_stored("move", &json!({})), None);
    }
}
