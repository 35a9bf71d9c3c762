//! The command line of `session-recording`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<session_recording::cli::Command>(
        "session-recording",
        "What terminals showed: listed, verified, exported.",
    )
}
