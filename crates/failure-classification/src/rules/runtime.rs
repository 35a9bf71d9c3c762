//! Ready environments stopped by their own behaviour or limits.

use crate::{Attribution, FailureCode as Code, Rule};

pub(super) static RULES: &[Rule] = &[
    Rule::new(
        Code::RuntimeMemoryExceeded,
        Attribution::Candidate,
        "Your environment used more memory than allowed and stopped.",
        "the environment was killed at its memory limit",
        "limits",
    ),
    Rule::new(
        Code::RuntimeDiskExceeded,
        Attribution::Candidate,
        "Your environment used more disk space than allowed and stopped.",
        "the environment was evicted at its disk limit",
        "limits",
    ),
    Rule::new(
        Code::RuntimeExited,
        Attribution::Candidate,
        "Your environment stopped. Staff were told.",
        "the environment's first process ended",
        "environment-stopped",
    ),
    Rule::new(
        Code::RuntimeDeadlineMismatch,
        Attribution::Platform,
        "Your environment was stopped too early. It is not your fault. Staff were told.",
        "the runtime's backstop came before the session's own end; compare both clocks",
        "deadlines",
    ),
];
