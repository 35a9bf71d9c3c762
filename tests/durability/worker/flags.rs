//! How a worker of this suite is set up.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use job_queue::WorkerConfig;

/// The flags; durations in milliseconds.
#[derive(Debug, Parser)]
pub(crate) struct Flags {
    /// Where the jobs are.
    #[arg(long)]
    pub(crate) database_url: String,
    /// Where to listen, if not there.
    #[arg(long)]
    pub(crate) listen_url: Option<String>,
    /// Where to tell metrics; who tells them also notifies others and keeps a schedule.
    #[arg(long)]
    pub(crate) admin: Option<SocketAddr>,
    #[arg(long)]
    pub(crate) name: String,
    #[arg(long)]
    pub(crate) slots: usize,
    /// Threads of the runtime.
    #[arg(long)]
    pub(crate) threads: usize,
    /// Connections of the handlers.
    #[arg(long)]
    pub(crate) pool: u32,
    #[arg(long)]
    pub(crate) lease_ms: u64,
    #[arg(long)]
    pub(crate) heartbeat_ms: u64,
    #[arg(long)]
    pub(crate) poll_ms: u64,
    #[arg(long)]
    pub(crate) drain_grace_ms: u64,
    #[arg(long)]
    pub(crate) cancel_grace_ms: u64,
    /// Asks for the tick of a schedule with this period, beside its jobs.
    #[arg(long)]
    pub(crate) tick_ms: Option<u64>,
}

impl Flags {
    pub(crate) fn config(&self) -> WorkerConfig {
        WorkerConfig {
            slots: self.slots,
            lease: Duration::from_millis(self.lease_ms),
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            poll: Duration::from_millis(self.poll_ms),
            drain_grace: Duration::from_millis(self.drain_grace_ms),
            cancel_grace: Duration::from_millis(self.cancel_grace_ms),
            ..WorkerConfig::new(&self.name)
        }
    }
}
