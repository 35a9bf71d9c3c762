//! From this crate's errors to exit codes.

use std::error::Error as StdError;

use command_line::CliError;
use failure_classification::{Phase, Signal, classify};

use crate::{
    ApplyError, FieldError, RuntimeConfigError, RuntimeError, RuntimeFinding, StoreError,
    TrialError,
};

/// Every fault is told; the first one names the field.
pub(super) fn fields(faults: Vec<FieldError>) -> CliError {
    let mut faults = faults.into_iter();
    let Some(first) = faults.next() else {
        return CliError::usage("definition", "is not acceptable");
    };
    let mut error = CliError::usage(first.field, first.message).next(first.next);
    error.causes = faults.map(|fault| fault.to_string()).collect();
    error
}

pub(super) fn apply(error: ApplyError) -> CliError {
    match error {
        ApplyError::Invalid(faults) => fields(faults),
        ApplyError::Database { source, .. } => source.into(),
    }
}

/// Turns what the database or a row is to blame for into its exit code.
pub fn store(error: StoreError) -> CliError {
    match error {
        StoreError::Database(source) => source.into(),
        inconsistent @ StoreError::Inconsistent { .. } => CliError::bug(inconsistent),
    }
}

/// Turns a setting of a runtime that cannot work into a usage error that names its flag.
pub fn settings(error: &RuntimeConfigError) -> CliError {
    let mut usage = CliError::usage(error.flag(), error.problem()).next(error.mend());
    usage.causes = causes(error);
    usage
}

/// Turns what a runtime answered into an error; its code is the one that the failure of a session
/// would have before it is ready.
pub fn runtime(error: &RuntimeError) -> CliError {
    runtime_in(Phase::BeforeReady, error)
}

/// The same, of a session that is as far as this.
pub(super) fn runtime_in(phase: Phase, error: &RuntimeError) -> CliError {
    let verdict = classify(&error.signal, phase);
    let message = verdict.operator_text.clone();
    let mut answer = match error.signal {
        Signal::Vanished { .. } => CliError::not_found(message),
        _ if error.is_transient() => CliError::transient(message),
        _ => CliError::conflict(message),
    };
    verdict.code().as_str().clone_into(&mut answer.code);
    answer.causes = causes(error);
    answer
}

/// A trial that failed names the check, the field that is most likely at fault and the mend.
pub(super) fn trial(error: TrialError) -> CliError {
    let message = match error.reason() {
        Some(reason) => format!("failed to {error}: {reason}"),
        None => format!("failed to {error}"),
    };
    let (field, mend) = (error.field(), error.mend());
    // Where that is all that failed, the message names it.
    let is_message = matches!(error, TrialError::Left { .. });
    let left = error.left().filter(|_| !is_message).cloned();
    // A database that does not answer says everywhere the same.
    let is_store = matches!(error, TrialError::Store { .. });
    let mut answer = match error {
        TrialError::Unusable { first, others } => unusable(&first, &others),
        TrialError::Failed { source, .. } => runtime(&source),
        TrialError::Left { source, .. } => {
            let source = source.as_ref().map(runtime);
            let causes = source.map(|source| source.message);
            let mut left = CliError::transient("").code("trial.left");
            left.causes = causes.into_iter().collect();
            left
        }
        TrialError::Interrupted { .. } => CliError::conflict("").code("trial.interrupted"),
        TrialError::Store { source, .. } => store(source),
    };
    if !is_store {
        answer.message = message;
    }
    answer.field = field.map(str::to_owned);
    let left = left.map(|name| format!("{name} is left: remove it from the runtime"));
    answer.causes.extend(left);
    answer.next(mend)
}

fn unusable(first: &RuntimeFinding, others: &[RuntimeFinding]) -> CliError {
    let mut answer = if first.is_outage() {
        CliError::transient("")
    } else {
        CliError::conflict("")
    };
    answer.causes = others.iter().map(ToString::to_string).collect();
    answer.code(first.code)
}

fn causes(error: &dyn StdError) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuntimeName, TrialCheck};

    #[test]
    fn what_ends_an_environment_that_was_ready_has_another_code() {
        let signal = Signal::Exited {
            exit_code: Some(1),
            oom_killed: false,
            message: String::new(),
        };
        let error = RuntimeError::new("verify", signal);
        let codes = [Phase::BeforeReady, Phase::AfterReady].map(|it| runtime_in(it, &error).code);
        assert_eq!(codes, ["init.exited_early", "runtime.exited"]);
    }

    #[test]
    fn a_trial_that_failed_tells_what_was_reported_and_names_what_is_left() {
        let signal = Signal::StartFailed {
            message: "no such file".to_owned(),
        };
        let error = trial(TrialError::Failed {
            check: TrialCheck::Start,
            source: RuntimeError::new("create", signal),
            left: Some(RuntimeName::from_runtime("carrel-a-1")),
        });
        assert!(error.message.ends_with("no such file"), "{error:?}");
        assert_eq!(error.field.as_deref(), Some("shell"));
        let left = error.causes.last().expect("a cause");
        assert!(left.starts_with("carrel-a-1 is left"), "{left}");
    }
}
