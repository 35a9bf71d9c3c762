//! The child's half of starting a shell.
//!
//! Between fork and exec only async-signal-safe code may run, and a closure there needs `unsafe`.
//! The keeper therefore starts *itself* with the PTY as its standard streams, and that process
//! makes the session, takes the terminal and becomes the shell: all of it safe code.

use std::ffi::OsString;
use std::io::Error;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Failure;

/// Makes this process the leader of a new session on the terminal at standard input and replaces
/// it by `argv`; returns only when that failed.
pub(crate) fn become_shell(argv: &[OsString]) -> Failure {
    let Some((program, arguments)) = argv.split_first() else {
        return Failure::usage("start-shell: the shell is missing");
    };
    let owned = rustix::process::setsid()
        .and_then(|_| rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()));
    if let Err(error) = owned {
        return Failure::broken("cannot own the terminal", &Error::from(error));
    }
    let error = Command::new(program).args(arguments).exec();
    Failure::no_shell(format!("cannot run {}: {error}", program.display()))
}
