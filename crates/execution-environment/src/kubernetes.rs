//! Environments as pods of a Kubernetes cluster.

mod admitted;
mod args;
mod body;
mod call;
mod check;
mod client;
mod config;
mod create;
mod destroy;
mod exec;
mod hardening;
mod hints;
mod list;
mod log;
mod node_answers;
mod objects;
mod observe;
mod placement;
mod refusal;
mod snapshot;
mod status;
mod verify;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PartialObjectMeta;
use serde_json::Value;
use session_identity::InstallId;

pub use args::KubernetesArgs;
pub use config::{KubernetesConfig, KubernetesConfigError};
pub use hardening::KubernetesHardening;
pub use placement::Placement;

use crate::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, Purpose, RuntimeError, RuntimeFinding,
    RuntimeKind, RuntimeName, RuntimeUid,
};
use client::Requests;
use hints::Hints;

/// The container that candidates are in.
pub(crate) const CONTAINER: &str = "environment";

/// What the recorded documents and answers of a cluster are read as.
#[cfg(test)]
pub(crate) fn recorded_signals() -> Vec<failure_classification::Signal> {
    let of_streams = exec::recorded_signals();
    [
        status::tests::signals(),
        refusal::tests::signals(),
        of_streams,
    ]
    .concat()
}

/// Runs environments as pods. Holds a client, no state: any number of processes may.
#[derive(Clone)]
pub struct KubernetesRuntime {
    client: kube::Client,
    /// For terminal streams, whose sockets need other settings.
    exec_client: kube::Client,
    config: kube::Config,
    namespace: String,
    keeper_image: Option<String>,
    isolation_probes: Vec<SocketAddr>,
    node_pids: Option<u64>,
    placement: Placement,
    requests: Requests,
    hints: Hints,
    hardening: KubernetesHardening,
}

impl std::fmt::Debug for KubernetesRuntime {
    /// Without the configuration, which holds credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesRuntime")
            .field("cluster", &self.config.cluster_url)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl KubernetesRuntime {
    /// Prepares a client of the cluster. Nothing is asked of the cluster yet.
    ///
    /// Errors: a kubeconfig that is missing or unreadable or lacks the context, credentials that
    /// cannot be used, a namespace that is none.
    pub async fn connect(config: &KubernetesConfig) -> Result<Self, KubernetesConfigError> {
        Self::connect_weakened(config, KubernetesHardening::default()).await
    }

    /// Prepares a client whose environments lack protections. Only tests of the proof do that.
    pub async fn connect_weakened(
        config: &KubernetesConfig,
        hardening: KubernetesHardening,
    ) -> Result<Self, KubernetesConfigError> {
        let client_config = config.client_config().await?;
        let requests = Requests::default();
        let keeper_image = config.keeper_image.clone();
        Ok(Self {
            client: client::client(&client_config, &requests)?,
            exec_client: exec::client(&client_config)?,
            config: client_config,
            namespace: config.namespace.clone(),
            keeper_image: keeper_image.filter(|image| !image.is_empty()),
            isolation_probes: config.isolation_probes.clone(),
            node_pids: config.node_pids,
            placement: config.placement.clone(),
            requests,
            hints: Hints::default(),
            hardening,
        })
    }

    /// Tells how many requests went to the API server since [`connect`](Self::connect).
    pub fn requests(&self) -> u64 {
        self.requests.total()
    }

    fn pods(&self) -> Api<PartialObjectMeta<Pod>> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

#[async_trait]
impl EnvironmentRuntime for KubernetesRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Kubernetes
    }

    async fn check(&self, purpose: Purpose) -> Vec<RuntimeFinding> {
        check::check(self, purpose).await
    }

    async fn check_exam(&self, exam: &ExamDefinition) -> Vec<RuntimeFinding> {
        check::check_exam(self, exam).await
    }

    async fn create(&self, spec: &EnvironmentSpec) -> Result<Created, RuntimeError> {
        create::create(self, spec).await
    }

    async fn observe(&self, name: &RuntimeName) -> Result<Observation, RuntimeError> {
        observe::observe(self, name).await
    }

    async fn wait_for_change(&self, name: &RuntimeName, at_most: Duration) {
        self.hints.changed(self.pods(), name, at_most).await;
    }

    async fn verify(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        exam: &ExamDefinition,
    ) -> Result<IsolationReport, RuntimeError> {
        verify::verify(self, name, uid, exam).await
    }

    async fn snapshot(&self, name: &RuntimeName, uid: &RuntimeUid) -> Result<Value, RuntimeError> {
        snapshot::snapshot(self, name, uid).await
    }

    async fn log(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        lines: u32,
    ) -> Result<String, RuntimeError> {
        log::log(self, name, uid, lines).await
    }

    async fn destroy(
        &self,
        name: &RuntimeName,
        uid: Option<&RuntimeUid>,
    ) -> Result<Destroyed, RuntimeError> {
        destroy::destroy(self, name, uid).await
    }

    async fn destroy_by_force(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
    ) -> Result<Destroyed, RuntimeError> {
        destroy::by_force(self, name, uid).await
    }

    async fn list(&self, install_id: InstallId) -> Result<Vec<Listed>, RuntimeError> {
        list::list(self, install_id).await
    }

    async fn attach(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        request: &AttachRequest,
    ) -> Result<AttachStreams, RuntimeError> {
        exec::attach(self, name, uid, request).await
    }
}
