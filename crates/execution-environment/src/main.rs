//! The command line of the execution-environment library.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<execution_environment::cli::Command>(
        "execution-environment",
        "Environments of exam sessions and the definitions they are made from",
    )
}
