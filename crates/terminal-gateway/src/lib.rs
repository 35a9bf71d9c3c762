#![doc = include_str!("../README.md")]

mod admission;
mod args;
mod authority;
mod caller;
mod config;
mod connection;
mod evidence;
mod frame_guard;
mod gate;
mod leg;
mod open_files;
mod problem;
mod process;
mod read_on;
mod readiness;
mod readings;
mod registry;
mod routes;
mod screen_size;
mod socket;
mod spool;
mod state;
mod tees;
mod waiting;

pub use args::GatewayArgs;
pub use config::{ConfigError, GatewayConfig};
pub use process::{BuildError, Gateway, RunError};
pub use readings::ReadOn;
pub use spool::RecordingSpool;
