//! Waiting in tests for what another test may hold up for a moment.

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until it is so.
///
/// A program that a neighbouring test is just starting holds, until its exec, a copy of every open
/// file of this process: a lock, a port or a socket that was dropped is taken for that long.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
