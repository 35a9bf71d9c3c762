//! What each process is told by variables, and with whose rights it asks the runtime.

use std::path::{Path, PathBuf};

use super::Plan;
use crate::api_proxy::ApiProxy;
use crate::kubernetes::{Account, TestCluster, write_plain};
use crate::logins::SECRET;
use crate::ports::moved;
use crate::runtime::TestRuntime;
use crate::settings::setting;

/// Connections of one process; three systems' processes stay well below a server's default of 100.
const CONNECTIONS: u32 = 8;

/// What the test bed's kubelet allows a pod (`podPidsLimit`); more than the sample exam declares.
const NODE_PIDS: u64 = 256;

type Variables = Vec<(String, String)>;

/// What the processes share, and what some are told beside it or instead.
#[derive(Debug)]
pub(super) struct Settings {
    shared: Variables,
    terminal: Variables,
    worker: Variables,
    first_worker: Variables,
    worker_clocks: Vec<&'static str>,
}

fn variable(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

impl Settings {
    /// Writes the files that the variables name into the system's folder.
    pub(super) async fn write(
        plan: &Plan,
        database_url: &str,
        runtime: &TestRuntime,
        folder: &Path,
    ) -> (Self, Option<ApiProxy>) {
        let mut settings = Self {
            shared: shared(plan, database_url),
            terminal: Vec::new(),
            worker: Vec::new(),
            first_worker: first_worker_database(plan, database_url),
            worker_clocks: plan.worker_clocks.clone(),
        };
        let mut proxy = None;
        match runtime {
            TestRuntime::Engine(_) => settings.shared.extend([
                variable("CARREL_KEEPER", setting("CARREL_KEEPER")),
                variable("DOCKER_HOST", setting("DOCKER_HOST")),
            ]),
            TestRuntime::Cluster(cluster) => {
                settings.give_cluster(cluster, database_url, folder).await;
                if plan.is_api_proxied {
                    proxy = Some(settings.proxy_first_worker(cluster, folder).await);
                }
            }
        }
        (settings, proxy)
    }

    async fn give_cluster(&mut self, cluster: &TestCluster, database_url: &str, folder: &Path) {
        self.shared.extend([
            variable("CARREL_RUNTIME", "kubernetes"),
            variable("CARREL_KUBE_NAMESPACE", cluster.namespace()),
        ]);
        let kubeconfig = cluster.kubeconfig_of(Account::Terminal, folder).await;
        self.terminal = vec![variable("KUBECONFIG", kubeconfig.display().to_string())];
        let kubeconfig = cluster.kubeconfig_of(Account::Worker, folder).await;
        self.worker = vec![
            variable("KUBECONFIG", kubeconfig.display().to_string()),
            variable("CARREL_NODE_PIDS", NODE_PIDS.to_string()),
            variable("CARREL_KEEPER_IMAGE", setting("CARREL_KEEPER_IMAGE")),
            variable(
                "CARREL_ISOLATION_PROBES",
                cluster.database_as_seen_by_pods(database_url).await,
            ),
        ];
    }

    async fn proxy_first_worker(&mut self, cluster: &TestCluster, folder: &Path) -> ApiProxy {
        let rights = cluster.kubeconfig_of(Account::Worker, folder).await;
        let proxy = ApiProxy::with_rights_of(&rights).await;
        let path = folder.join("proxied.kubeconfig");
        write_plain(&path, &proxy.url);
        self.first_worker
            .push(variable("KUBECONFIG", path.display().to_string()));
        proxy
    }

    pub(super) fn of_api(&self) -> Variables {
        self.shared.clone()
    }

    pub(super) fn of_terminal(&self) -> Variables {
        [&self.shared[..], &self.terminal].concat()
    }

    /// Of the worker of this number, from 0; of two variables of one name the later counts.
    pub(super) fn of_worker(&self, number: usize) -> Variables {
        let own: &[_] = if number == 0 { &self.first_worker } else { &[] };
        let clock = self
            .worker_clocks
            .get(number)
            .map(|offset| wrong_clock(offset));
        [
            &self.shared[..],
            &self.worker,
            own,
            &clock.unwrap_or_default(),
        ]
        .concat()
    }
}

/// Has a process read another time of day; time that passes is left alone.
fn wrong_clock(offset: &str) -> Variables {
    vec![
        variable("LD_PRELOAD", faketime().display().to_string()),
        variable("FAKETIME", offset),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

/// Each architecture has its own folder of libraries.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("libraries are there");
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|library| library.is_file())
        .expect("faketime is installed: apt-get install faketime")
}

fn shared(plan: &Plan, database_url: &str) -> Variables {
    let mut shared = vec![
        variable("CARREL_DATABASE_CONNECTIONS", CONNECTIONS.to_string()),
        variable("CARREL_TOKEN_HS256_SECRET", SECRET),
        variable("CARREL_LOG_FORMAT", "text"),
    ];
    if let Some(place) = &plan.pooler {
        shared.extend([
            variable("CARREL_DATABASE_URL", moved(database_url, place)),
            variable("CARREL_DIRECT_DATABASE_URL", database_url),
        ]);
    } else {
        shared.push(variable("CARREL_DATABASE_URL", database_url));
    }
    shared
}

fn first_worker_database(plan: &Plan, database_url: &str) -> Variables {
    let Some(place) = &plan.first_worker_server else {
        return Vec::new();
    };
    vec![variable("CARREL_DATABASE_URL", moved(database_url, place))]
}
