//! Candidates who could not be admitted or attached while the environment is fine.

use crate::{Attribution, FailureCode as Code, RetryRule, Rule};

pub(super) static RULES: &[Rule] = &[
    Rule::new(
        Code::AccessDenied,
        Attribution::Candidate,
        // The same words for absent, foreign and unavailable: nothing can be enumerated.
        "Not available.",
        "access was denied; the access log holds the true reason",
        "denied-access",
    ),
    Rule::new(
        Code::AccessNotReady,
        Attribution::Platform,
        "Your environment is still being prepared.",
        "an attach came before the session was ready",
        "denied-access",
    )
    .retried(RetryRule::Wait)
    .meanwhile("Still preparing."),
    Rule::new(
        Code::AccessEnded,
        Attribution::Nobody,
        "Your exam has ended.",
        "the session had ended, or ended during the attach",
        "denied-access",
    ),
    Rule::new(
        Code::AccessInUse,
        Attribution::Candidate,
        "This exam is open in another tab or on another machine. Use it here?",
        "another writer holds the terminal",
        "denied-access",
    ),
    Rule::new(
        Code::AccessExecForbidden,
        Attribution::Platform,
        "The terminal is unavailable. It is not your fault. Staff were told.",
        "the terminal process lacks the right to attach (it needs get and create on exec)",
        "terminal-rights",
    ),
    Rule::new(
        Code::AccessExecTarget,
        Attribution::Platform,
        "The terminal could not be reached. It is not your fault. Staff were told.",
        "nothing runs there to attach to; read the environment again and judge that",
        "terminal-stream",
    )
    .retried(RetryRule::WithinBudget)
    .meanwhile("Reconnecting."),
    Rule::new(
        Code::AccessShellUnavailable,
        Attribution::Environment,
        "The terminal could not start. You did nothing wrong. Staff were told.",
        "the shell or the keeper could not be started",
        "terminal-shell",
    )
    .retried(RetryRule::Once)
    .meanwhile("The terminal did not start; we are trying again."),
    Rule::new(
        Code::AccessStreamLost,
        Attribution::Platform,
        "The connection was lost. Your shell is still running and nothing is lost.",
        "the terminal's stream broke",
        "terminal-stream",
    )
    .retried(RetryRule::WithinBudget)
    .meanwhile("Reconnecting. Your shell is still running and nothing is lost."),
    Rule::new(
        Code::AccessRecordingUnavailable,
        Attribution::Platform,
        "Your exam is paused because it cannot be recorded. It is not your fault.",
        "the recorder cannot store what the policy demands",
        "recording",
    )
    .after_seconds(10)
    .retried(RetryRule::WithinBudget)
    .meanwhile("Paused until recording works again."),
];
