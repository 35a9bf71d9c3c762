#![doc = include_str!("../README.md")]
#![warn(clippy::wildcard_enum_match_arm)]

mod class;
mod classify;
mod code;
mod context;
mod http_answer;
mod kubernetes;
mod origin;
mod pull_message;
mod reference;
mod room;
mod rule;
mod rules;
mod said;
mod signal;

#[cfg(feature = "cli")]
pub mod cli;

pub use class::{Attribution, FailureClass, MAX_ATTEMPTS_PER_SESSION, Phase, RetryRule};
pub use classify::{Classified, classify};
pub use code::{FailureCode, UnknownCode};
pub use context::{ContextError, classify_context};
pub use http_answer::from_http_answer;
pub use kubernetes::from_kubernetes_reason;
pub use origin::{DisruptionCause, TerminalLeg};
pub use pull_message::from_pull_message;
pub use reference::{Reference, ReferenceError, reference};
pub use rule::{Rule, rule};
pub use signal::Signal;
