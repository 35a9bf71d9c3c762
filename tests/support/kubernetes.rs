//! The cluster as the tests see it: a namespace of each system's own, made from the chart, and
//! looks at it that go past Carrel.

mod accounts;
mod chart;
mod faults;
mod inside;
mod leftovers;
mod looks;
mod memory;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use execution_environment::kubernetes::{KubernetesConfig, KubernetesRuntime, Placement};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::{Api, Client};

pub use accounts::Account;
pub(crate) use accounts::write_plain;
pub use faults::{PriorityLease, TakenRights};

use crate::settings::setting;
use crate::wait::{SOON, until};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A client of the run's cluster, and the two namespaces of one system on it.
///
/// The client is an administrator's, for looks and faults only: Carrel's processes get kubeconfigs
/// of the chart's service accounts.
#[derive(Clone)]
pub struct TestCluster {
    client: Client,
    /// The release's namespace, which holds the service accounts.
    release: String,
}

impl std::fmt::Debug for TestCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCluster")
            .field("release", &self.release)
            .finish_non_exhaustive()
    }
}

impl TestCluster {
    /// Makes the namespaces of a new system and waits until pods can be made there.
    pub async fn create() -> Self {
        let cluster = Self::named().await;
        chart::install(&cluster.release).await;
        cluster.await_default_account().await;
        cluster
    }

    /// Makes the namespace of a release alone: whoever installs the chart makes the other.
    pub async fn for_release() -> Self {
        let cluster = Self::named().await;
        chart::make_namespace(&cluster.release).await;
        cluster
    }

    async fn named() -> Self {
        let client = client().await;
        leftovers::clear(&client).await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let release = format!("carrel-test-{}-{number}", std::process::id());
        Self { client, release }
    }

    /// The namespace of the release.
    pub fn release_namespace(&self) -> &str {
        &self.release
    }

    /// A namespace for what an installation needs and the chart does not bring.
    pub fn surroundings(&self) -> String {
        surroundings(&self.release)
    }

    /// The namespace of the environments.
    pub fn namespace(&self) -> String {
        exams_namespace(&self.release)
    }

    /// Pods beside those of Carrel, and Carrel's own.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace())
    }

    /// Carrel's runtime on it, with exactly one account's rights; it creates nothing.
    pub async fn runtime(&self, account: Account, folder: &Path) -> KubernetesRuntime {
        let config = KubernetesConfig {
            kubeconfig: Some(self.kubeconfig_of(account, folder).await),
            context: None,
            namespace: self.namespace(),
            keeper_image: None,
            isolation_probes: Vec::new(),
            node_pids: None,
            placement: Placement::default(),
        };
        let connected = KubernetesRuntime::connect(&config).await;
        connected.expect("the account's kubeconfig can be used")
    }

    /// Where anchors are.
    pub fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace())
    }

    /// A pod without its namespace's default account is refused.
    pub async fn await_default_account(&self) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace());
        until("the namespace has its default account", SOON, async || {
            let found = accounts.get_opt("default").await.ok()?;
            found.map(|_| ())
        })
        .await;
    }

    /// Removes everything of this system, and waits until no pod of it runs.
    pub async fn remove_all(&self) {
        // The client that is there belongs to a runtime that may stand still meanwhile.
        let client = client().await;
        let cluster = Self {
            client,
            release: self.release.clone(),
        };
        leftovers::remove(&cluster.client, &cluster.release).await;
        until("its pods are gone", SOON, async || {
            let pods = cluster.pods().list(&kube::api::ListParams::default()).await;
            pods.is_ok_and(|pods| pods.items.is_empty()).then_some(())
        })
        .await;
    }
}

/// The administrator's kubeconfig.
pub(crate) fn kubeconfig() -> PathBuf {
    setting("KUBECONFIG").into()
}

fn surroundings(release: &str) -> String {
    format!("{release}-outside")
}

fn exams_namespace(release: &str) -> String {
    format!("{release}-exams")
}

async fn client() -> Client {
    let config = accounts::admin().await;
    Client::try_from(config).expect("the kubeconfig's credentials can be used")
}
