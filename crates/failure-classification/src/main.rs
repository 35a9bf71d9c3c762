//! The command line of `failure-classification`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<failure_classification::cli::Command>(
        "failure-classification",
        "Explains what failed: class, code, whose doing it is, and what happens next.",
    )
}
