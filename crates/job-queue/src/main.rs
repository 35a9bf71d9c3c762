//! The command line of `job-queue`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<job_queue::cli::Command>(
        "job-queue",
        "Looks at jobs, retries and cancels them",
    )
}
