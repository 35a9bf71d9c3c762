//! What the lifecycle could not read, as this command line tells it.

use command_line::CliError;
use session_lifecycle::LoadError;
use session_lifecycle::cli::cli_error;

pub(super) fn lifecycle(error: &LoadError) -> CliError {
    cli_error(error.class(), error.code(), error)
}
