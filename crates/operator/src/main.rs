//! The operator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    carrel_operator::main()
}
