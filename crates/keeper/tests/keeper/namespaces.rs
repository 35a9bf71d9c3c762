//! What needs namespaces of its own runs where `unshare` is permitted, and says so where not.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Returns `unshare` with `flags`, or `None` where that is not permitted.
pub(crate) fn unshare(flags: &[&str]) -> Option<Command> {
    unshare_to(flags, &["true"])
}

/// The same where `needed` works in there.
pub(crate) fn unshare_to(flags: &[&str], needed: &[&str]) -> Option<Command> {
    let mut command = Command::new("unshare");
    command.args(flags);
    let tried = Command::new("unshare")
        .args(flags)
        .args(needed)
        .stderr(Stdio::null())
        .status();
    if tried.is_ok_and(|status| status.success()) {
        return Some(command);
    }
    // Not by `eprintln!`, which a test that passes keeps to itself.
    let left_out = format!("left out: unshare {flags:?} {needed:?} is not possible here");
    writeln!(std::io::stderr(), "{left_out}").ok();
    None
}
