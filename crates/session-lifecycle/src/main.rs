//! The command line of `session-lifecycle`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<session_lifecycle::cli::Command>(
        "session-lifecycle",
        "Shows and changes the state of one exam session.",
    )
}
