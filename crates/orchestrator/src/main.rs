//! The command line of `orchestrator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<orchestrator::cli::Command>(
        "orchestrator",
        "Requests, shows, extends and ends exam sessions.",
    )
}
