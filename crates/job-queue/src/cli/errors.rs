//! How refusals end a command.

use command_line::CliError;

use crate::OperateError;

/// Turns a refused act into its exit code: refusals are conflicts with the job's state.
pub(super) fn cli_error(error: OperateError) -> CliError {
    let message = error.to_string();
    match error {
        OperateError::NotFound { .. } => CliError::not_found(message),
        OperateError::ScheduleNotFound { .. } => {
            CliError::not_found(message).next("carrel schedules list; workers make schedules")
        }
        OperateError::WorkerNotFound { .. } => {
            CliError::not_found(message).next("carrel workers list")
        }
        OperateError::WorkerAmbiguous { incarnations, .. } => {
            let each: Vec<_> = incarnations.iter().map(ToString::to_string).collect();
            CliError::conflict(message).next(format!("name one of {}", each.join(", ")))
        }
        OperateError::Refused { id, .. } => {
            CliError::conflict(message).next(format!("carrel jobs show {id}"))
        }
        OperateError::KeyTaken { holder, .. } => {
            CliError::conflict(message).next(format!("carrel jobs show {holder}"))
        }
        OperateError::Database(source) => source.into(),
    }
}
