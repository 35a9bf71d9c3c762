//! A child with a process group of its own: what it started ends with it.

use std::process::Child;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

/// Whether the child has ended. Its number, and its group's, is nobody else's until it is waited for.
pub(crate) fn has_ended(child: &Child) -> bool {
    let asked = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let ended = waitid(WaitId::Pid(Pid::from_child(child)), asked);
    ended.is_ok_and(|it| it.is_some())
}

/// Sends SIGTERM to the child's group.
pub(crate) fn ask_to_end(child: &Child) {
    rustix::process::kill_process_group(Pid::from_child(child), Signal::TERM).ok();
}

/// Sends SIGKILL to the child's group.
pub(crate) fn kill(child: &Child) {
    rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL).ok();
}
