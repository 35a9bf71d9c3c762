//! When a setback of a trial is believed: as late as a session would, and no later than its budget.

use failure_classification::{
    Classified, FailureCode, Phase as SessionPhase, RetryRule, Signal, classify,
};
use tokio::time::Instant;

use super::error::{TrialCheck, TrialError, of_environment};
use crate::RuntimeError;

/// Believes a setback once it has lasted, and was seen as often, as its code demands; what may pass
/// by itself, only once the budget is spent.
#[derive(Default)]
pub(super) struct Patience {
    since: Option<(FailureCode, Instant)>,
    times: u8,
    last: Option<(TrialCheck, RuntimeError)>,
    /// What the attempt before this one failed by.
    earlier: Option<(TrialCheck, RuntimeError)>,
}

impl Patience {
    /// Begins again after an attempt that failed.
    pub(super) fn after(failed: TrialError) -> Self {
        let mut patience = Self::default();
        if let TrialError::Failed { check, source, .. } = failed {
            patience.earlier = Some((check, source));
        }
        patience
    }

    /// Counts one look. Whoever sees no setback forgets the earlier ones.
    pub(super) fn bear(
        &mut self,
        setback: Option<(TrialCheck, RuntimeError)>,
    ) -> Result<(), TrialError> {
        let Some((check, error)) = setback else {
            self.since = None;
            self.last = None;
            return Ok(());
        };
        let error = of_environment(error);
        let verdict = classify(&error.signal, SessionPhase::BeforeReady);
        if may_pass(&error, &verdict) {
            self.since = None;
        } else if self.counted(&verdict) {
            return Err(TrialError::failed(check, error));
        }
        self.last = Some((check, error));
        Ok(())
    }

    /// Counts a sighting and says whether its code is to be believed by now.
    fn counted(&mut self, verdict: &Classified) -> bool {
        let (code, now) = (verdict.code(), Instant::now());
        let since = match self.since {
            Some((before, since)) if before == code => since,
            Some(_) | None => {
                self.times = 0;
                now
            }
        };
        self.since = Some((code, since));
        self.times = self.times.saturating_add(1);
        now - since >= verdict.window && self.times >= verdict.observations
    }

    /// What to blame a spent budget on: the last setback, where there was one, of an attempt before
    /// this one at the least.
    pub(super) fn spent(&mut self, budget_seconds: u64) -> TrialError {
        let slow = || {
            let message = format!("not within its startup_budget_seconds of {budget_seconds}");
            let error = RuntimeError::new("observe", Signal::NotReady { message });
            (TrialCheck::Start, error)
        };
        let last = self.last.take().or_else(|| self.earlier.take());
        let (check, error) = last.unwrap_or_else(slow);
        // What never answered has spent the budget, whoever waited for it.
        let is_slow = matches!(error.signal, Signal::NotReady { .. });
        let check = if is_slow { TrialCheck::Start } else { check };
        TrialError::failed(check, error)
    }
}

/// Whether to wait for it while the budget lasts: what a session would wait for too, what says
/// nothing of the environment, and slowness, which only the budget judges.
fn may_pass(error: &RuntimeError, verdict: &Classified) -> bool {
    error.is_transient()
        || verdict.retry == RetryRule::Wait
        || !verdict.may_fail_session()
        || matches!(error.signal, Signal::NotReady { .. })
}

/// Whether a session whose attempt failed so would get another.
pub(super) fn may_pass_in_another(failed: &TrialError, attempt: i32) -> bool {
    let TrialError::Failed { source, .. } = failed else {
        return false;
    };
    let verdict = classify(&source.signal, SessionPhase::BeforeReady);
    verdict.retry.allows_another_after(attempt)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    type Setback = (TrialCheck, RuntimeError);

    fn missing() -> Setback {
        let signal = Signal::ImageMissing {
            image: "a:1".to_owned(),
            message: String::new(),
        };
        (TrialCheck::Start, RuntimeError::new("observe", signal))
    }

    fn unavailable() -> Signal {
        Signal::RuntimeUnavailable {
            operation: "create".to_owned(),
            status: Some(503),
            message: String::new(),
            retry_after_ms: None,
        }
    }

    fn no_room() -> Signal {
        Signal::Unschedulable {
            message: String::new(),
        }
    }

    fn slow() -> Signal {
        Signal::NotReady {
            message: "no report within 10 s".to_owned(),
        }
    }

    fn gap() -> Setback {
        let signal = Signal::IsolationUnproven {
            gaps: vec!["no_network".to_owned()],
            place: None,
        };
        (TrialCheck::Isolation, RuntimeError::new("verify", signal))
    }

    #[test]
    fn a_setback_is_believed_when_it_was_seen_as_often_as_its_code_demands() {
        let mut patience = Patience::default();
        patience.bear(Some(missing())).unwrap();
        patience.bear(None).unwrap();
        patience.bear(Some(missing())).unwrap();
        let error = patience.bear(Some(missing())).unwrap_err();
        assert_eq!(error.check(), Some(TrialCheck::Image));
    }

    #[test]
    fn a_spent_budget_is_blamed_on_the_last_setback_and_else_on_itself() {
        let mut patience = Patience::default();
        let error = patience.spent(60);
        assert_eq!(error.field(), Some("startup_budget_seconds"));
        let told = error.reason().unwrap();
        assert!(told.contains("startup_budget_seconds of 60"), "{told}");
        patience.bear(Some(missing())).unwrap();
        assert_eq!(patience.spent(60).field(), Some("image"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_by_itself_is_waited_for_until_the_budget_is_spent() {
        let passing = [unavailable(), no_room(), slow()];
        let fields = [None, Some("limits"), Some("startup_budget_seconds")];
        for (signal, field) in passing.into_iter().zip(fields) {
            let mut patience = Patience::default();
            for _ in 0..10 {
                let error = RuntimeError::new("verify", signal.clone());
                let setback = Some((TrialCheck::Isolation, error));
                patience.bear(setback).expect("it may pass");
                advance(Duration::from_mins(1)).await;
            }
            assert_eq!(patience.spent(600).field(), field, "{signal:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn gaps_are_looked_at_again_since_rules_of_a_network_may_lag() {
        let mut patience = Patience::default();
        patience.bear(Some(gap())).expect("seen once");
        advance(Duration::from_secs(14)).await;
        patience.bear(Some(gap())).expect("it may close");
        advance(Duration::from_secs(1)).await;
        let error = patience.bear(Some(gap())).expect_err("it has lasted");
        assert_eq!(error.check(), Some(TrialCheck::Isolation));
    }

    #[test]
    fn another_environment_is_tried_as_often_as_a_session_would() {
        let failed = |(check, error)| TrialError::failed(check, error);
        let exited = Signal::Exited {
            exit_code: Some(1),
            oom_killed: false,
            message: String::new(),
        };
        let exited = || {
            (
                TrialCheck::Start,
                RuntimeError::new("observe", exited.clone()),
            )
        };
        let tries = |error: &TrialError| [1, 2, 3].map(|it| may_pass_in_another(error, it));
        assert_eq!(tries(&failed(gap())), [true, true, false]);
        assert_eq!(tries(&failed(exited())), [true, false, false]);
        assert_eq!(tries(&failed(missing())), [false; 3]);
        assert_eq!(tries(&TrialError::Interrupted { left: None }), [false; 3]);
    }

    #[test]
    fn a_budget_spent_in_a_later_attempt_is_blamed_on_what_the_earlier_failed_by() {
        let (check, error) = gap();
        let mut patience = Patience::after(TrialError::failed(check, error));
        patience.bear(None).expect("it starts");
        let spent = patience.spent(60);
        assert_eq!(spent.check(), Some(TrialCheck::Isolation));
    }

    #[test]
    fn slowness_before_the_budget_is_spent_is_no_fault_of_the_budget() {
        let error = TrialError::failed(TrialCheck::Isolation, RuntimeError::new("verify", slow()));
        assert_eq!(error.field(), None);
    }
}
