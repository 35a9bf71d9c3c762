//! What the machine's own files tell: the load, and what processes have used of the processors.

use std::fs;

use anyhow::Result;
use sqlx::Row as _;

use crate::server::Server;

const SETTINGS: [&str; 6] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "shared_preload_libraries",
];

/// The processes of a PostgreSQL on this machine, by their parent.
#[derive(Debug)]
pub(crate) struct ServerProcesses {
    postmaster: i32,
}

/// What `/proc/<pid>/stat` says: the parent, and hundredths of seconds used.
struct Stat {
    parent: i32,
    own: f64,
    /// Of children that have ended.
    ended: f64,
}

impl ServerProcesses {
    /// Finds them by one connection's process, if that is one of this machine's.
    pub(crate) fn of_backend(pid: i32) -> Option<Self> {
        let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let postmaster = stat(pid)?.parent;
        let is_servers = title.starts_with("postgres") && stat(postmaster).is_some();
        is_servers.then_some(Self { postmaster })
    }

    /// Connections that have ended count in their parent; those that live count themselves.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let children = pids().filter_map(stat);
        let living = children.filter(|child| child.parent == self.postmaster);
        let living: f64 = living.map(|child| child.own).sum();
        let of_postmaster = stat(self.postmaster).map_or(0.0, |stat| stat.own + stat.ended);
        (living + of_postmaster) / 100.0
    }
}

/// What commands that this process has started and that have ended used, in seconds.
pub(crate) fn ended_children_cpu_seconds() -> f64 {
    let own = i32::try_from(std::process::id()).ok().and_then(stat);
    own.map_or(0.0, |stat| stat.ended / 100.0)
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        ended: ticks(13)? + ticks(14)?,
    })
}

/// The load of the last minute: others may share the machine.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// What a reader must know of where it was measured, and how to do it again.
pub(crate) async fn facts(server: &mut Server, words: &str) -> Result<Vec<String>> {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let version: String = server.row("SELECT version()").await?.try_get(0)?;
    let mut settings = Vec::new();
    for name in SETTINGS {
        settings.push(format!("{name} = {:?}", server.setting(name).await?));
    }
    Ok(vec![
        format!("- {processors} processors, shared by client and server"),
        format!("- {version}"),
        format!("- {}", settings.join(", ")),
        format!("- `cargo run --release -p system-tests --example queues -- {words}`"),
        format!("- load average {} at the end", load_average()),
    ])
}
