//! A child with a process group of its own: what it started ends with it.

use std::process::Child;

use rustix::process::{Pid, Signal};

/// Sends SIGTERM to the child's group.
pub(crate) fn ask_to_end(child: &Child) {
    rustix::process::kill_process_group(Pid::from_child(child), Signal::TERM).ok();
}

/// Sends SIGKILL to the child's group.
pub(crate) fn kill(child: &Child) {
    rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL).ok();
}
