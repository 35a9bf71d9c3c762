#![doc = include_str!("../README.md")]

mod args;
mod process;
mod readiness;

pub use args::WorkerArgs;
pub use process::{BuildError, RunError, Worker};
