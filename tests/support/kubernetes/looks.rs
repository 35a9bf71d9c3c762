//! What is there: pods and anchors, read past Carrel's runtime.

use std::collections::HashMap;
use std::net::SocketAddr;

use execution_environment::{Listed, OwnerLabels, Phase, RuntimeName, RuntimeUid};
use k8s_openapi::api::core::v1::{ContainerState, Node, Pod, PodSpec, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use session_identity::InstallId;
use url::Url;

use super::TestCluster;

/// The container that a candidate works in.
pub(super) const CONTAINER: &str = "environment";

impl TestCluster {
    /// Lists the environments of one database, running or not.
    pub async fn environments(&self, install_id: InstallId) -> Vec<Listed> {
        let ours = ListParams::default().labels(&format!("carrel.install={install_id}"));
        let pods = self.pods().list(&ours).await;
        let pods = pods.expect("the cluster lists pods").items;
        pods.iter().map(listed).collect()
    }

    /// Names the anchors of one database.
    pub async fn anchors(&self, install_id: InstallId) -> Vec<String> {
        let ours = ListParams::default().labels(&format!("carrel.install={install_id}"));
        let anchors = self.config_maps().list(&ours).await;
        let anchors = anchors.expect("the cluster lists config maps").items;
        anchors.iter().map(kube::ResourceExt::name_any).collect()
    }

    /// The pod of a session, whatever its attempt; the newest if there are several.
    pub async fn pod_of(&self, session_id: &str) -> Option<Pod> {
        let its = ListParams::default().labels(&format!("carrel.session={session_id}"));
        let pods = self.pods().list(&its).await.ok()?.items;
        let newest = |pod: &Pod| pod.labels().get("carrel.attempt").cloned();
        pods.into_iter().max_by_key(newest)
    }

    /// Whether a session's pod lacks nothing any more but the start of its environment.
    pub async fn has_installed_its_keeper(&self, session_id: &str) -> bool {
        let pod = self.pod_of(session_id).await;
        let status = pod.and_then(|pod| pod.status).unwrap_or_default();
        let mut installers = status.init_container_statuses.into_iter().flatten();
        installers.any(|it| it.state.is_some_and(|state| state.terminated.is_some()))
    }

    /// Where the API server is for pods, behind its Service.
    pub async fn api_server(&self) -> SocketAddr {
        let slices: Api<EndpointSlice> = Api::namespaced(self.client.clone(), "default");
        let slice = slices.get("kubernetes").await;
        let slice = slice.expect("the API server publishes where it is");
        let ports = slice.ports.unwrap_or_default();
        let port = ports.first().and_then(|port| port.port);
        let endpoints = slice.endpoints.unwrap_or_default();
        let address = endpoints.first().and_then(|one| one.addresses.first());
        let (address, port) = address.zip(port).expect("it has an address and a port");
        let port = u16::try_from(port).expect("it is a port");
        SocketAddr::new(address.parse().expect("it is an address"), port)
    }

    /// Where a pod would find the database if it listened on all addresses of this machine: at the
    /// API server's, which on the test bed is the machine's own.
    pub async fn database_as_seen_by_pods(&self, database_url: &str) -> String {
        let url = Url::parse(database_url).expect("the address is a URL");
        let machine = self.api_server().await.ip();
        SocketAddr::new(machine, url.port().unwrap_or(5432)).to_string()
    }

    /// The address that pods are given for the API server.
    pub async fn api_service(&self) -> String {
        let services: Api<Service> = Api::namespaced(self.client.clone(), "default");
        let service = services.get("kubernetes").await;
        let service = service.expect("every cluster has this Service");
        let address = service.spec.and_then(|spec| spec.cluster_ip);
        address.expect("it has an address")
    }

    /// The address of a session's pod.
    pub async fn address_of(&self, session_id: &str) -> String {
        let pod = self.pod_of(session_id).await;
        let status = pod.expect("the session has a pod").status;
        let address = status.and_then(|status| status.pod_ip);
        address.expect("a pod that runs has an address")
    }

    /// How much of its one node's processors no pod has asked for.
    pub async fn free_cpu_millis(&self) -> u64 {
        let status = self.node().await.status;
        let all = status.and_then(|status| status.allocatable?.get("cpu").map(cpu_millis));
        let pods: Api<Pod> = Api::all(self.client.clone());
        let live = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let pods = pods
            .list(&live)
            .await
            .expect("the cluster lists pods")
            .items;
        let asked: u64 = pods
            .iter()
            .filter_map(|pod| pod.spec.as_ref())
            .map(cpu_request)
            .sum();
        all.expect("a node has processors").saturating_sub(asked)
    }

    /// Whether the cluster hears from its one node.
    pub async fn is_node_ready(&self) -> bool {
        let status = self.node().await.status;
        let conditions = status.and_then(|status| status.conditions);
        conditions.is_some_and(|conditions| {
            let mut ready = conditions.iter().filter(|one| one.type_ == "Ready");
            ready.any(|one| one.status == "True")
        })
    }

    async fn node(&self) -> Node {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let nodes = nodes.list(&ListParams::default()).await;
        let mut nodes = nodes.expect("the cluster lists nodes").items;
        nodes.pop().expect("the cluster has a node")
    }

    pub(super) async fn pod_with(&self, uid: &str) -> Option<Pod> {
        let pods = self.pods().list(&ListParams::default()).await;
        let pods = pods.expect("the cluster lists pods").items;
        pods.into_iter()
            .find(|pod| pod.uid().as_deref() == Some(uid))
    }
}

fn cpu_request(pod: &PodSpec) -> u64 {
    let requests = pod.containers.iter().filter_map(|container| {
        let requests = container.resources.as_ref()?.requests.as_ref()?;
        requests.get("cpu").map(cpu_millis)
    });
    requests.sum()
}

/// Reads an amount of processors, `2` or `1500m`.
fn cpu_millis(quantity: &Quantity) -> u64 {
    let (number, factor) = match quantity.0.strip_suffix('m') {
        Some(millis) => (millis, 1),
        None => (quantity.0.as_str(), 1000),
    };
    number.parse::<u64>().expect("an amount of processors") * factor
}

fn listed(pod: &Pod) -> Listed {
    let labels: HashMap<String, String> = pod.labels().clone().into_iter().collect();
    Listed {
        name: RuntimeName::from_runtime(pod.name_any()),
        uid: RuntimeUid::from_runtime(pod.uid().unwrap_or_default()),
        labels: OwnerLabels::from_map(&labels).expect("what bears our label bears all of them"),
        created_at: None,
        phase: phase(pod),
    }
}

/// Whether the container runs, by its own state and not by Carrel's reading of it.
pub(super) fn phase(pod: &Pod) -> Phase {
    match state(pod) {
        Some(ContainerState {
            running: Some(_), ..
        }) => Phase::Running,
        Some(ContainerState {
            terminated: Some(ended),
            ..
        }) => Phase::Stopped {
            exit_code: Some(ended.exit_code),
            oom_killed: ended.reason.as_deref() == Some("OOMKilled"),
            message: ended.message.clone(),
            signal: None,
        },
        _ => Phase::Pending { signal: None },
    }
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let its = statuses.iter().find(|status| status.name == CONTAINER)?;
    its.state.as_ref()
}
