//! The command line of `session-status`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<session_status::cli::Command>(
        "session-status",
        "Shows where one exam session stands, as the candidate's page does.",
    )
}
