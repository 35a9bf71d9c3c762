//! Which check of a trial failed, and what to do about it.

use std::fmt;

use failure_classification::{Phase, Signal, classify};

use crate::{IsolationGap, RuntimeError, RuntimeFinding, RuntimeName, StoreError};

/// Names what a trial proves, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialCheck {
    /// The image is found.
    Image,
    /// The runtime takes the environment.
    Creation,
    /// The keeper starts within the budget.
    Start,
    /// What is found inside and admitted outside is as declared.
    Isolation,
}

impl fmt::Display for TrialCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "its image can be resolved",
            Self::Creation => "its environment can be created",
            Self::Start => "its environment starts",
            Self::Isolation => "its environment is isolated",
        })
    }
}

/// Says why an exam was not proven. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The runtime cannot be used, or refuses environments of this exam.
    #[error("use the runtime: {}", .first.message)]
    Unusable {
        /// What is wrong.
        first: RuntimeFinding,
        /// What else is.
        others: Vec<RuntimeFinding>,
    },
    /// One check failed.
    #[error("prove that {check}")]
    Failed {
        /// Which.
        check: TrialCheck,
        /// What the runtime reported.
        source: RuntimeError,
        /// The environment, where it could not be removed either.
        left: Option<RuntimeName>,
    },
    /// It was asked to stop.
    #[error("finish the trial, which was interrupted")]
    Interrupted {
        /// The environment, where it could not be removed either.
        left: Option<RuntimeName>,
    },
    /// The exam is proven, but its environment could not be removed.
    #[error("remove the trial's environment {name}")]
    Left {
        /// Its name in the runtime.
        name: RuntimeName,
        /// What the runtime reported last, other than that it is still there.
        source: Option<RuntimeError>,
    },
    /// The database failed.
    #[error("have the database's part of the trial")]
    Store {
        /// Why.
        #[source]
        source: StoreError,
        /// The environment, where it could not be removed either.
        left: Option<RuntimeName>,
    },
}

impl From<StoreError> for TrialError {
    fn from(source: StoreError) -> Self {
        Self::Store { source, left: None }
    }
}

impl TrialError {
    pub(super) fn failed(check: TrialCheck, source: RuntimeError) -> Self {
        let source = of_environment(source);
        let check = match &source.signal {
            Signal::ImageNameInvalid { .. }
            | Signal::ImageMissing { .. }
            | Signal::ImageDenied { .. }
            | Signal::ImageSourceUnavailable { .. }
            | Signal::ImageNotPreloaded { .. }
            | Signal::ImageRejected { .. } => TrialCheck::Image,
            Signal::StartFailed { .. } | Signal::Exited { .. } => TrialCheck::Start,
            _ => check,
        };
        let left = None;
        Self::Failed {
            check,
            source,
            left,
        }
    }

    pub(super) fn not_isolated(gaps: &[IsolationGap], place: Option<String>) -> Self {
        let gaps = gaps.iter().map(ToString::to_string).collect();
        let signal = Signal::IsolationUnproven { gaps, place };
        Self::failed(TrialCheck::Isolation, RuntimeError::new("verify", signal))
    }

    /// Adds that the environment could not be removed either.
    #[must_use]
    pub(super) fn and_left(mut self, name: RuntimeName) -> Self {
        match &mut self {
            Self::Failed { left, .. } | Self::Interrupted { left } | Self::Store { left, .. } => {
                *left = Some(name);
            }
            Self::Unusable { .. } | Self::Left { .. } => {}
        }
        self
    }

    /// Names the environment that is still in the runtime.
    pub fn left(&self) -> Option<&RuntimeName> {
        match self {
            Self::Failed { left, .. } | Self::Interrupted { left } | Self::Store { left, .. } => {
                left.as_ref()
            }
            Self::Left { name, .. } => Some(name),
            Self::Unusable { .. } => None,
        }
    }

    /// Tells what the runtime reported of the check that failed, for staff.
    pub fn reason(&self) -> Option<String> {
        let Self::Failed { source, .. } = self else {
            return None;
        };
        Some(classify(&source.signal, Phase::BeforeReady).operator_text)
    }

    /// Names the check that failed; `None` when it did not come to one.
    pub fn check(&self) -> Option<TrialCheck> {
        match self {
            Self::Failed { check, .. } => Some(*check),
            Self::Unusable { .. }
            | Self::Interrupted { .. }
            | Self::Left { .. }
            | Self::Store { .. } => None,
        }
    }

    /// Names the definition's field that most likely is at fault.
    pub fn field(&self) -> Option<&'static str> {
        let Self::Failed { check, source, .. } = self else {
            return None;
        };
        match (check, &source.signal) {
            (TrialCheck::Image, _) => Some("image"),
            (_, Signal::StartFailed { .. } | Signal::Exited { .. }) => Some("shell"),
            (TrialCheck::Start, Signal::NotReady { .. }) => Some("startup_budget_seconds"),
            (_, Signal::QuotaExceeded { .. } | Signal::Unschedulable { .. }) => Some("limits"),
            _ => None,
        }
    }

    /// Says what to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::Unusable { first, .. } => first.mend.clone(),
            Self::Failed { check, source, .. } => of_signal(*check, &source.signal).to_owned(),
            Self::Interrupted { .. } => "run it again".to_owned(),
            Self::Left { name, .. } => format!("remove {name} from the runtime, and run it again"),
            Self::Store { .. } => "run it again once the database answers".to_owned(),
        }
    }
}

/// A keeper that cannot be started is the environment's fault: nobody wants to attach.
pub(super) fn of_environment(mut error: RuntimeError) -> RuntimeError {
    if let Signal::ShellUnavailable { message, .. } = error.signal {
        error.signal = Signal::StartFailed { message };
    }
    error
}

fn of_signal(check: TrialCheck, signal: &Signal) -> &'static str {
    match signal {
        Signal::ImageDenied { .. } => "give the runtime credentials that may read the image",
        Signal::ImageMissing { .. }
        | Signal::ImageNameInvalid { .. }
        | Signal::ImageNotPreloaded { .. }
        | Signal::ImageRejected { .. } => {
            "place the image where the runtime finds it, or name another in `image`"
        }
        Signal::StartFailed { .. } | Signal::Exited { .. } => {
            "correct `shell`, `user`, `workdir` or `limits`, or the image"
        }
        Signal::NotReady { .. } if check == TrialCheck::Start => {
            "raise `startup_budget_seconds`, or make the start lighter"
        }
        Signal::IsolationUnproven { .. } => {
            "mend what the causes name; the network's proof alone can be waived: `isolation waive`"
        }
        Signal::QuotaExceeded { .. } | Signal::Unschedulable { .. } => {
            "make room, or lower `limits`"
        }
        Signal::SpecInvalid { .. } | Signal::ConfigInvalid { .. } => {
            "correct the definition as the message says"
        }
        Signal::PolicyDenied { .. } | Signal::RuntimeUnauthorized { .. } => {
            "run it with the rights of a worker, which may make environments"
        }
        Signal::RuntimeUnavailable { .. } | Signal::ImageSourceUnavailable { .. } => {
            "run it again once that answers"
        }
        _ => "read the runbook of this code: `failure-classification codes`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protection;

    fn failed(check: TrialCheck, signal: Signal) -> TrialError {
        TrialError::failed(check, RuntimeError::new("verify", signal))
    }

    #[test]
    fn a_keeper_that_cannot_be_run_is_a_start_that_failed() {
        let message = "exec format error".to_owned();
        let signal = Signal::ShellUnavailable {
            exit_code: Some(126),
            message,
        };
        let error = failed(TrialCheck::Isolation, signal);
        assert_eq!(error.check(), Some(TrialCheck::Start));
        assert_eq!(error.field(), Some("shell"));
    }

    #[test]
    fn gaps_are_told_as_declared_and_found() {
        let gap = IsolationGap {
            protection: Protection::NoNetwork,
            expected: "only lo".to_owned(),
            found: "eth0".to_owned(),
        };
        let error = TrialError::not_isolated(&[gap], None);
        assert_eq!(error.to_string(), "prove that its environment is isolated");
        let told = error.reason().unwrap();
        assert!(
            told.contains("no_network: declared only lo, found eth0"),
            "{told}"
        );
        assert!(error.mend().contains("isolation waive"));
    }

    #[test]
    fn what_is_left_of_a_trial_that_failed_is_named_too() {
        let name = RuntimeName::from_runtime("carrel-a-1");
        let signal = Signal::StartFailed {
            message: String::new(),
        };
        let error = failed(TrialCheck::Start, signal);
        assert_eq!(error.left(), None);
        assert_eq!(error.and_left(name.clone()).left(), Some(&name));
        let interrupted = TrialError::Interrupted { left: None };
        assert_eq!(interrupted.and_left(name.clone()).left(), Some(&name));
        let unasked = TrialError::from(StoreError::Database(sqlx::Error::PoolTimedOut));
        assert_eq!(unasked.and_left(name.clone()).left(), Some(&name));
    }
}
