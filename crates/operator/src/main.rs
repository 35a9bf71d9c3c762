//! The operator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<carrel_operator::Command>(
        "carrel",
        "Runs exams: sessions, the jobs behind them, the environments they take place in",
    )
}
