//! The command line of `cleanup-ttl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::main::<cleanup_ttl::cli::Command>(
        "cleanup-ttl",
        "Says when a session's time is over, and ends those whose time is.",
    )
}
