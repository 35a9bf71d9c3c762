//! The command line of `session-identity`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<session_identity::cli::Command>(
        "session-identity",
        "Checks identities: who is asking, about which session",
    )
}
