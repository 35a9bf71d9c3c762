//! The real binary on a real PTY with a real shell.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;
mod frames;
mod install;
mod lifecycle;
mod namespaces;
mod proof;
mod relay;
mod report;
mod resume;
mod takeover;
mod terminal;
