//! How refusals end a command.

use command_line::CliError;

use crate::{EnqueueError, OperateError};

/// Turns a refused act into its exit code: refusals are conflicts with the job's state.
pub(super) fn cli_error(error: OperateError) -> CliError {
    let message = error.to_string();
    match error {
        OperateError::NotFound { .. } => CliError::not_found(message)
            .field("id")
            .next("carrel jobs list; ended jobs go after a while"),
        OperateError::NoneBegins { .. } => {
            CliError::not_found(message)
                .field("id")
                .next("carrel jobs list; give more of the id")
        }
        OperateError::JobAmbiguous { candidates, .. } => {
            let each: Vec<_> = candidates.iter().map(ToString::to_string).collect();
            let next = format!("give more of the id; among others {}", each.join(", "));
            CliError::conflict(message).field("id").next(next)
        }
        OperateError::OperationNotFound { .. } => {
            CliError::not_found(message).field("id").next("carrel ops list")
        }
        OperateError::SetHasGrown { .. } => CliError::conflict(message)
            .field("expect")
            .next("look again with --dry-run"),
        OperateError::ScheduleNotFound { .. } => {
            CliError::not_found(message)
                .field("schedule")
                .next("carrel schedules list; workers make schedules")
        }
        OperateError::ScheduleNeverPauses { .. } => CliError::conflict(message)
            .field("schedule")
            .next("carrel schedules list; is_pausable says which do"),
        OperateError::PauseTooLong => {
            CliError::usage("for", message).next("pause again when it has ended")
        }
        OperateError::WindowEmpty => {
            CliError::usage("from", message).next("give a --from that is before --to")
        }
        OperateError::WindowNotPast { .. } => {
            CliError::usage("to", message).next("leave --to out for a window up to now")
        }
        OperateError::BackfillTooLarge => CliError::usage("from", message).next(
            "take a shorter window; for a sweep that looks at everything, carrel schedules run is enough",
        ),
        OperateError::WorkerNotFound { .. } => {
            CliError::not_found(message).field("worker").next("carrel workers list")
        }
        OperateError::WorkerAmbiguous { incarnations, .. } => {
            let each: Vec<_> = incarnations.iter().map(ToString::to_string).collect();
            let next = format!("name one of {}", each.join(", "));
            CliError::conflict(message).field("worker").next(next)
        }
        OperateError::Refused { id, .. } => {
            CliError::conflict(message).next(format!("carrel jobs show {id}"))
        }
        OperateError::KeyTaken { holder, .. } => {
            CliError::conflict(message).next(format!("carrel jobs show {holder}"))
        }
        OperateError::Enqueue(EnqueueError::Database(source)) | OperateError::Database(source) => {
            source.into()
        }
        OperateError::Enqueue(source) => CliError::transient(message).caused_by(&source),
    }
}
