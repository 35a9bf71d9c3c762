//! Which processes a system has and what each is told.

use std::path::Path;

use super::Weight;
use super::settings::Settings;
use crate::ports::free_port;
use crate::process::Process;
use crate::settings::setting;

/// A second page that may attach, so that a ticket can come from the wrong one of two good pages.
pub const SECOND_PAGE: &str = "https://second.example";

/// Where a system's environments run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// On the run's container engine.
    #[default]
    Engine,
    /// On the run's cluster, in a namespace of its own.
    Cluster,
}

/// What a system is to be made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many workers.
    pub workers: usize,
    /// How much of the machine it takes.
    pub weight: Weight,
    /// A PostgreSQL other than the run's.
    pub server: Option<String>,
    /// The address at which the first worker finds the server, where something lies in between.
    pub first_worker_server: Option<(String, u16)>,
    /// The address of a pooler through which every process reaches the server.
    pub pooler: Option<(String, u16)>,
    /// Where environments run.
    pub place: Place,
    /// By how much the clocks of the workers are wrong, such as `+1h`, in their order; others are right.
    pub worker_clocks: Vec<&'static str>,
    /// Whether the first worker's requests to the cluster pass a proxy that can hold them.
    pub is_api_proxied: bool,
}

impl Plan {
    /// One worker, on the cluster.
    pub fn on_cluster() -> Self {
        Self {
            place: Place::Cluster,
            ..Self::default()
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            workers: 1,
            weight: Weight::Light,
            server: None,
            first_worker_server: None,
            pooler: None,
            place: Place::Engine,
            worker_clocks: Vec::new(),
            is_api_proxied: false,
        }
    }
}

/// Where the processes answer, `127.0.0.1:port` each.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) api: String,
    pub(super) api_admin: String,
    pub(super) terminal: String,
    pub(super) terminal_admin: String,
    pub(super) worker_admins: Vec<String>,
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

impl Addresses {
    pub(super) fn choose(workers: usize) -> Self {
        Self {
            api: address(),
            api_admin: address(),
            terminal: address(),
            terminal_admin: address(),
            worker_admins: (0..workers).map(|_| address()).collect(),
        }
    }

    /// Makes room for one more worker.
    pub(super) fn add_worker(&mut self) {
        self.worker_admins.push(address());
    }
}

pub(super) fn start_api(addresses: &Addresses, settings: &Settings, folder: &Path) -> Process {
    let arguments = [
        ("--listen", addresses.api.clone()),
        ("--admin-listen", addresses.api_admin.clone()),
        ("--page-dir", setting("CARREL_PAGE_DIR")),
        ("--page-origin", format!("http://{}", addresses.api)),
        ("--terminal-url", format!("http://{}", addresses.terminal)),
    ];
    Process::start(
        "api",
        "carrel-api",
        flat(arguments),
        settings.of_api(),
        folder,
    )
}

pub(super) fn start_terminal(addresses: &Addresses, settings: &Settings, folder: &Path) -> Process {
    let arguments = [
        ("--listen", addresses.terminal.clone()),
        ("--admin-listen", addresses.terminal_admin.clone()),
        (
            "--page-origin",
            format!("http://{},{SECOND_PAGE}", addresses.api),
        ),
        (
            "--recording-spool",
            folder.join("recordings").display().to_string(),
        ),
    ];
    Process::start(
        "terminal",
        "carrel-terminal",
        flat(arguments),
        settings.of_terminal(),
        folder,
    )
}

/// Starts the worker of this number, from 0.
pub(super) fn start_worker(
    addresses: &Addresses,
    settings: &Settings,
    folder: &Path,
    number: usize,
) -> Process {
    let name = format!("worker-{}", number + 1);
    let admin = addresses.worker_admins[number].clone();
    let arguments = [("--name", name.clone()), ("--admin-listen", admin)];
    let environment = settings.of_worker(number);
    Process::start(&name, "carrel-worker", flat(arguments), environment, folder)
}

fn flat<const N: usize>(arguments: [(&str, String); N]) -> Vec<String> {
    arguments
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
}
