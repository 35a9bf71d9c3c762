//! How a run ends, and how that is written down.

use std::time::Duration;

use crate::{backoff, job::millis};

/// Longer texts are cut: a reason is for a person, evidence belongs in a table of its owner.
const REASON_LIMIT: usize = 2_000;

/// What a handler says about its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// The work failed and may be tried again; counts against `max_attempts`.
    Retry {
        /// When to try; `None` takes the stored exponential backoff.
        after: Option<Duration>,
        /// A short, stable word or code for metrics and filters.
        class: String,
        /// What happened, for people.
        reason: String,
    },
    /// Nothing failed, it is only too early; counts against nothing.
    Snooze {
        /// When to look again.
        after: Duration,
    },
    /// The work can never succeed; an operator may retry it by hand.
    Dead {
        /// A short, stable word or code for metrics and filters.
        class: String,
        /// What happened, for people.
        reason: String,
    },
    /// The handler gave up because it was asked to.
    Cancelled,
    /// The handler has written the outcome itself with [`crate::JobContext::record`], in its own
    /// transaction. If that transaction did not commit, the job is retried.
    AlreadyRecorded,
}

/// An outcome as the finishing statement takes it.
#[derive(Clone, Debug)]
pub(crate) struct StoredOutcome {
    pub(crate) verb: &'static str,
    pub(crate) delay_ms: i64,
    pub(crate) class: Option<String>,
    pub(crate) reason: Option<String>,
}

impl StoredOutcome {
    /// Turns an outcome into its row form; `attempt` is the run's number, which sets the backoff.
    pub(crate) fn new(outcome: &Outcome, attempt: i32) -> Self {
        match outcome {
            Outcome::Done => Self::bare("done", Duration::ZERO),
            Outcome::Retry {
                after,
                class,
                reason,
            } => {
                let delay = after.unwrap_or_else(|| backoff::draw(attempt));
                Self::explained("retry", delay, class, reason)
            }
            Outcome::Snooze { after } => Self::bare("snooze", *after),
            Outcome::Dead { class, reason } => {
                Self::explained("dead", Duration::ZERO, class, reason)
            }
            Outcome::Cancelled => Self::bare("cancelled", Duration::ZERO),
            // Normally matches no row, since the handler's own record took the token's place. It
            // matches exactly when that record was rolled back.
            Outcome::AlreadyRecorded => Self::explained(
                "retry",
                backoff::draw(attempt),
                "not_recorded",
                "the handler's own record of the outcome did not commit",
            ),
        }
    }

    /// Gives the run back without charging an attempt.
    pub(crate) fn released() -> Self {
        Self::bare("released", Duration::ZERO)
    }

    fn bare(verb: &'static str, delay: Duration) -> Self {
        Self {
            verb,
            delay_ms: millis(delay),
            class: None,
            reason: None,
        }
    }

    fn explained(verb: &'static str, delay: Duration, class: &str, reason: &str) -> Self {
        Self {
            class: Some(storable(class)),
            reason: Some(storable(reason)),
            ..Self::bare(verb, delay)
        }
    }
}

/// Removes what PostgreSQL refuses in text: one such outcome would fail its whole batch for ever.
fn storable(text: &str) -> String {
    text.chars()
        .filter(|character| *character != '\0')
        .take(REASON_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_with_a_nul_is_still_storable() {
        let outcome = Outcome::Dead {
            class: "a\0b".into(),
            reason: "x\0".repeat(5_000),
        };
        let stored = StoredOutcome::new(&outcome, 1);
        assert_eq!(stored.class.as_deref(), Some("ab"));
        assert_eq!(stored.reason.map(|reason| reason.len()), Some(REASON_LIMIT));
    }
}
