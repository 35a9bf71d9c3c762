//! The worker's settings: each a flag and an environment variable.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use cleanup_ttl::{PseudonymArgs, RecordArgs};
use command_line::{DatabaseArgs, DirectDatabaseArgs};
use execution_environment::RuntimeArgs;
use job_queue::{Unhandled, WorkerConfig};
use telemetry::TelemetryArgs;

/// Claims jobs and does the work: provisions environments, moves sessions, sweeps.
#[derive(Debug, Parser)]
#[command(name = "carrel-worker", version)]
pub struct WorkerArgs {
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,

    /// Where to listen for jobs.
    #[command(flatten)]
    pub direct: DirectDatabaseArgs,

    /// Where environments run.
    #[command(flatten)]
    pub runtime: RuntimeArgs,

    /// Address of metrics and probes
    #[arg(long, env = "CARREL_ADMIN_LISTEN", default_value = "127.0.0.1:9092")]
    pub admin_listen: SocketAddr,

    /// What this worker is called; each start is an incarnation of its own whatever the name
    #[arg(long, env = "CARREL_WORKER_NAME", default_value = "worker")]
    pub name: String,

    /// Jobs run at once
    #[arg(
        long,
        env = "CARREL_WORKER_SLOTS",
        default_value_t = 12,
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub slots: u16,

    /// Hours after which a due job is given up that no worker reads, though one serves its queue: 1 to
    /// 720. Longer than a deployment takes
    #[arg(
        long,
        env = "CARREL_NO_HANDLER_HOURS",
        default_value_t = 24,
        value_name = "HOURS",
        value_parser = clap::value_parser!(u16).range(1..=720)
    )]
    pub no_handler_hours: u16,

    /// How long records are kept.
    #[command(flatten)]
    pub records: RecordArgs,

    /// When candidates lose their names.
    #[command(flatten)]
    pub pseudonyms: PseudonymArgs,

    /// Logging.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl WorkerArgs {
    pub(crate) fn unhandled(&self) -> Unhandled {
        Unhandled {
            after: Duration::from_hours(u64::from(self.no_handler_hours)),
            ..Unhandled::default()
        }
    }

    pub(crate) fn queue_config(&self) -> WorkerConfig {
        WorkerConfig {
            host: host_name(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            slots: usize::from(self.slots),
            ..WorkerConfig::new(&self.name)
        }
    }
}

/// The kernel's name of this host, for people who read `workers`.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_make_a_command_line() {
        WorkerArgs::command().debug_assert();
    }

    #[test]
    fn a_worker_without_slots_is_refused() {
        assert!(WorkerArgs::try_parse_from(["carrel-worker", "--slots", "0"]).is_err());
    }
}
