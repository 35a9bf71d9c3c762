#![doc = include_str!("../README.md")]

mod admin;
mod args;
mod handle;
mod init;
mod request_head;
mod trace_parent;

pub mod metrics;

pub use admin::{AdminError, AdminServer, BoxFuture, Readiness};
pub use args::{LogFormat, TelemetryArgs};
pub use handle::{MetricsError, MetricsHandle};
pub use init::{InitError, init};
pub use trace_parent::{TraceParent, TraceParentError};
