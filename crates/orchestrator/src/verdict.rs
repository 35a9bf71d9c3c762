//! What to do about a signal before a session is ready: pure, so that every case can be tested.

use std::time::Duration;

use failure_classification::{Classified, RetryRule};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Keep this attempt and look again.
    LookAgain,
    /// Destroy this attempt, confirm it, and make another.
    NewAttempt,
    /// The session has failed with this code.
    Fail,
}

/// How often and for how long a signal has been seen without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Observations without another in between, this one included.
    pub times: u32,
    /// Since the first of them.
    pub persisted: Duration,
}

impl Seen {
    fn satisfies(self, classified: &Classified) -> bool {
        self.times >= u32::from(classified.observations) && self.persisted >= classified.window
    }
}

/// Decides about a classified signal of attempt `attempt`.
///
/// A new attempt is only made while the startup budget lasts and attempts are left; a signal that
/// may pass by itself is waited for until the budget ends.
pub fn decide(classified: &Classified, attempt: i32, seen: Seen, budget_left: bool) -> Verdict {
    if !budget_left {
        return Verdict::Fail;
    }
    // An access code says that somebody could not get in; it never condemns the environment.
    if !seen.satisfies(classified) || !classified.may_fail_session() {
        return Verdict::LookAgain;
    }
    match classified.retry {
        RetryRule::Wait => Verdict::LookAgain,
        rule if rule.allows_another_after(attempt) => Verdict::NewAttempt,
        RetryRule::Never | RetryRule::Once | RetryRule::WithinBudget => Verdict::Fail,
    }
}

#[cfg(test)]
mod tests {
    use failure_classification::{MAX_ATTEMPTS_PER_SESSION, Phase, Signal, classify};

    use super::*;

    fn verdict(signal: &Signal, attempt: i32, seconds: u64, budget_left: bool) -> Verdict {
        let seen = Seen {
            times: 10,
            persisted: Duration::from_secs(seconds),
        };
        decide_on(signal, attempt, seen, budget_left)
    }

    fn decide_on(signal: &Signal, attempt: i32, seen: Seen, budget_left: bool) -> Verdict {
        let classified = classify(signal, Phase::BeforeReady);
        decide(&classified, attempt, seen, budget_left)
    }

    #[test]
    fn a_missing_image_fails_when_it_was_seen_twice() {
        let signal = Signal::ImageMissing {
            image: "x".into(),
            message: String::new(),
        };
        let seen = |times, seconds| Seen {
            times,
            persisted: Duration::from_secs(seconds),
        };
        // One look may read what is only half written.
        let once = decide_on(&signal, 1, seen(1, 60), true);
        assert_eq!(once, Verdict::LookAgain);
        assert_eq!(decide_on(&signal, 1, seen(2, 0), true), Verdict::Fail);
    }

    #[test]
    fn an_early_exit_is_tried_once_more() {
        let signal = Signal::Exited {
            exit_code: Some(1),
            oom_killed: false,
            message: String::new(),
        };
        assert_eq!(verdict(&signal, 1, 60, true), Verdict::NewAttempt);
        assert_eq!(verdict(&signal, 2, 60, true), Verdict::Fail);
    }

    #[test]
    fn a_vanished_environment_is_replaced_until_attempts_run_out() {
        let signal = Signal::Vanished {
            expected_uid: None,
            found_uid: None,
        };
        assert_eq!(verdict(&signal, 1, 60, true), Verdict::NewAttempt);
        assert_eq!(verdict(&signal, 2, 60, true), Verdict::NewAttempt);
        assert_eq!(
            verdict(&signal, MAX_ATTEMPTS_PER_SESSION, 60, true),
            Verdict::Fail
        );
    }

    #[test]
    fn a_full_cluster_is_waited_for() {
        let signal = Signal::Unschedulable {
            message: String::new(),
        };
        assert_eq!(verdict(&signal, 1, 0, true), Verdict::LookAgain);
    }

    #[test]
    fn an_access_code_never_condemns_an_environment() {
        let signal = Signal::ExecTargetMissing {
            message: String::new(),
        };
        assert_eq!(verdict(&signal, 1, 60, true), Verdict::LookAgain);
    }

    #[test]
    fn nothing_is_tried_past_the_budget() {
        let signal = Signal::Vanished {
            expected_uid: None,
            found_uid: None,
        };
        assert_eq!(verdict(&signal, 1, 60, false), Verdict::Fail);
    }
}
