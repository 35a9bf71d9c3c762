//! From an error of a library to an error of a command line.

use std::error::Error;

use command_line::CliError;

use crate::ErrorClass;

/// Turns a library's error into a command line's: the exit code from its class, its stable code,
/// and the chain of what caused it.
///
/// What the rules refuse exits as denied or conflict (4): a refusal here needs no confirmation.
pub fn cli_error(class: ErrorClass, code: &str, error: &(dyn Error + 'static)) -> CliError {
    let message = error.to_string();
    let mut told = match class {
        ErrorClass::NotFound => CliError::not_found(message),
        ErrorClass::Refused | ErrorClass::Conflict => CliError::conflict(message),
        ErrorClass::Transient => CliError::transient(message),
        ErrorClass::Bug => CliError::bug(message),
    };
    code.clone_into(&mut told.code);
    told.causes = std::iter::successors(error.source(), |cause| Error::source(*cause))
        .map(ToString::to_string)
        .collect();
    told
}
