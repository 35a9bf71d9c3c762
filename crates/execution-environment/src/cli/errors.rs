//! From this crate's errors to exit codes.

use std::error::Error as StdError;

use command_line::CliError;
use failure_classification::{Phase, Signal, classify};

use crate::{ApplyError, FieldError, RuntimeConfigError, RuntimeError, StoreError};

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

pub(super) fn store(error: StoreError) -> CliError {
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
/// would have.
pub fn runtime(error: &RuntimeError) -> CliError {
    let verdict = classify(&error.signal, Phase::BeforeReady);
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

fn causes(error: &dyn StdError) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .map(ToString::to_string)
        .collect()
}
