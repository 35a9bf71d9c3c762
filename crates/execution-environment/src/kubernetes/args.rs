//! The settings of a cluster, the same for every process and command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{KubernetesConfig, Placement};

/// Groups the settings of a Kubernetes cluster.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kubernetes")]
pub struct KubernetesArgs {
    /// Kubeconfig of the cluster; without one, the pod's own service account
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; without one, its current context
    #[arg(long, env = "CARREL_KUBE_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,
    /// Namespace that environments are made in, and nothing else is
    #[arg(
        long,
        env = "CARREL_KUBE_NAMESPACE",
        default_value = "carrel-exams",
        value_name = "NAME"
    )]
    pub kube_namespace: String,
    /// Image that holds the static keeper; needed to create environments
    #[arg(long, env = "CARREL_KEEPER_IMAGE", value_name = "IMAGE")]
    pub keeper_image: Option<String>,
    /// Addresses beyond the built-in ones that no environment may reach, such as the database's
    #[arg(
        long,
        env = "CARREL_ISOLATION_PROBES",
        value_delimiter = ',',
        value_name = "IP:PORT"
    )]
    pub isolation_probe: Vec<SocketAddr>,
    /// Processes that nodes allow a pod (podPidsLimit), where that is more than exams declare
    #[arg(long, env = "CARREL_NODE_PIDS", value_name = "COUNT")]
    pub node_pids: Option<u64>,
    /// Node selector, tolerations, priority class and pull secrets of environments, as a pod's spec
    /// has them
    #[arg(
        long,
        env = "CARREL_POD_PLACEMENT",
        default_value = "{}",
        value_name = "JSON"
    )]
    pub pod_placement: Placement,
}

impl From<KubernetesArgs> for KubernetesConfig {
    fn from(args: KubernetesArgs) -> Self {
        Self {
            kubeconfig: args.kubeconfig,
            context: args.kube_context,
            namespace: args.kube_namespace,
            keeper_image: args.keeper_image,
            isolation_probes: args.isolation_probe,
            node_pids: args.node_pids,
            placement: args.pod_placement,
        }
    }
}
