//! The keeper: PID 1 of an environment, and the verbs that are run beside it.

mod args;
mod attach;
mod install;
mod limits;
mod processes;
mod run;
mod shell_start;
mod stop;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use args::Verb;

fn main() -> ExitCode {
    let verb = match args::parse(std::env::args_os().skip(1)) {
        Ok(verb) => verb,
        Err(message) => return fail(&Failure::usage(message)),
    };
    let done = match verb {
        Verb::Run(run) => run::run(run),
        Verb::Attach(attach) => attach::attach(&attach),
        Verb::Install { path } => install::install(&path),
        Verb::Verify { probes } => verify::print_report(&probes),
        Verb::Stop { socket } => stop::stop(&socket),
        Verb::StartShell { argv } => Err(shell_start::become_shell(&argv)),
        Verb::Help => say(args::HELP),
        Verb::Version => say(concat!("carrel-keeper ", env!("CARGO_PKG_VERSION"), "\n")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Why a verb ended without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The process's exit code.
    exit: u8,
    message: String,
}

impl Failure {
    /// A flag or argument is wrong: exit 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: 2,
            message: message.into(),
        }
    }

    /// The keeper cannot be reached now: exit 5.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self {
            exit: 5,
            message: message.into(),
        }
    }

    /// The shell is not there: exit 127, as a shell says it.
    pub(crate) fn no_shell(message: impl Into<String>) -> Self {
        Self {
            exit: 127,
            message: message.into(),
        }
    }

    /// Something the environment should have given is missing: exit 1.
    pub(crate) fn broken(what: &str, error: &std::io::Error) -> Self {
        Self {
            exit: 1,
            message: format!("{what}: {error}"),
        }
    }
}

fn fail(failure: &Failure) -> ExitCode {
    // In one write: a log may keep what comes in pieces as pieces, and lose some.
    let line = format!("carrel-keeper: {}\n", failure.message);
    // Nobody is left to tell when standard error is closed.
    std::io::stderr().write_all(line.as_bytes()).ok();
    ExitCode::from(failure.exit)
}

fn say(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::broken("standard output", &error))
}
