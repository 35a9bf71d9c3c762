//! The command line of `environment-access`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<environment_access::cli::Command>(
        "environment-access",
        "Tokens, tickets and the decision to admit or deny.",
    )
}
