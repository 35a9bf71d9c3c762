//! Which processes a system has and what each is told.

use std::path::Path;

use super::Weight;
use crate::logins::SECRET;
use crate::ports::free_port;
use crate::process::Process;
use crate::settings::setting;

/// Connections of one process; three systems' processes stay well below a server's default of 100.
const CONNECTIONS: u32 = 8;

/// A second page that may attach, so that a ticket can come from the wrong one of two good pages.
pub const SECOND_PAGE: &str = "https://second.example";

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
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            workers: 1,
            weight: Weight::Light,
            server: None,
            first_worker_server: None,
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

/// What the processes share, and what the first worker is told instead.
#[derive(Debug)]
pub(super) struct Settings {
    shared: Vec<(String, String)>,
    first_worker_database: Option<String>,
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

impl Plan {
    pub(super) fn settings(&self, database_url: &str) -> Settings {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let shared = vec![
            own("CARREL_DATABASE_URL", database_url),
            own("CARREL_DATABASE_CONNECTIONS", &CONNECTIONS.to_string()),
            own("CARREL_KEEPER", &setting("CARREL_KEEPER")),
            own("CARREL_TOKEN_HS256_SECRET", SECRET),
            own("CARREL_LOG_FORMAT", "text"),
            own("DOCKER_HOST", &setting("DOCKER_HOST")),
        ];
        let first_worker_database = self.first_worker_server.as_ref().map(|(host, port)| {
            let mut url = url::Url::parse(database_url).expect("the address is a URL");
            url.set_host(Some(host)).expect("a host");
            url.set_port(Some(*port)).expect("a port");
            url.into()
        });
        Settings {
            shared,
            first_worker_database,
        }
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
        settings.shared.clone(),
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
    ];
    Process::start(
        "terminal",
        "carrel-terminal",
        flat(arguments),
        settings.shared.clone(),
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
    let mut environment = settings.shared.clone();
    if let Some(url) = settings
        .first_worker_database
        .as_ref()
        .filter(|_| number == 0)
    {
        environment.push(("CARREL_DATABASE_URL".to_owned(), url.clone()));
    }
    Process::start(&name, "carrel-worker", flat(arguments), environment, folder)
}

fn flat<const N: usize>(arguments: [(&str, String); N]) -> Vec<String> {
    arguments
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
}
