//! Which cluster, as whom, in which namespace.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::Placement;

/// Says how to reach a cluster and what to make environments with.
#[derive(Clone, Debug, PartialEq)]
pub struct KubernetesConfig {
    /// One kubeconfig, or several in the way of `PATH`; `None` for the pod's own service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; `None` for its current one.
    pub context: Option<String>,
    /// The namespace of all environments.
    pub namespace: String,
    /// The image with the static keeper; only who creates environments needs it.
    pub keeper_image: Option<String>,
    /// Addresses beyond the built-in ones that no environment may reach.
    pub isolation_probes: Vec<SocketAddr>,
    /// How many processes nodes allow a pod: Kubernetes knows no such limit of one pod alone.
    /// `None`: not more than exams declare.
    pub node_pids: Option<u64>,
    /// On which nodes environments run.
    pub placement: Placement,
}

/// Says which setting of a cluster is unusable.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesConfigError {
    /// The kubeconfig is missing, unreadable, or has no such context.
    #[error("use the kubeconfig {} (--kubeconfig, --kube-context, KUBECONFIG)", .path.display())]
    Kubeconfig {
        /// The file or files as given.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// There is no kubeconfig, and this is not a pod with a service account either.
    #[error("find a cluster: no kubeconfig is given (--kubeconfig, KUBECONFIG), and no pod's")]
    NotInCluster {
        /// What is missing.
        #[source]
        source: Box<InClusterError>,
    },
    /// The namespace is no name of a namespace.
    #[error("use {namespace:?} as a namespace (--kube-namespace, CARREL_KUBE_NAMESPACE)")]
    Namespace {
        /// The name as given.
        namespace: String,
    },
    /// The credentials or certificates cannot be used.
    #[error("make a client of the cluster (--kubeconfig, KUBECONFIG)")]
    Client {
        /// What the client said.
        #[source]
        source: Box<kube::Error>,
    },
}

impl KubernetesConfigError {
    /// The setting that is at fault, as the long option's name.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Namespace { .. } => "kube-namespace",
            Self::Kubeconfig { .. } | Self::NotInCluster { .. } | Self::Client { .. } => {
                "kubeconfig"
            }
        }
    }
}

/// A cluster that takes longer to accept a connection is treated as one that does not answer.
const CONNECT: Duration = Duration::from_secs(5);

impl KubernetesConfig {
    /// Reads the kubeconfig, or what a pod is given. Asks nothing of the cluster.
    pub(super) async fn client_config(&self) -> Result<kube::Config, KubernetesConfigError> {
        if !is_label(&self.namespace) {
            let namespace = self.namespace.clone();
            return Err(KubernetesConfigError::Namespace { namespace });
        }
        let given = self
            .kubeconfig
            .as_deref()
            .filter(|path| !path.as_os_str().is_empty());
        let mut config = match given {
            Some(path) => self.read_kubeconfig(path).await?,
            None => kube::Config::incluster().map_err(|source| {
                let source = Box::new(source);
                KubernetesConfigError::NotInCluster { source }
            })?,
        };
        self.namespace.clone_into(&mut config.default_namespace);
        config.connect_timeout = Some(CONNECT);
        // Whoever calls knows better what to do with a refusal, and counts every request.
        config.default_retry = false;
        Ok(config)
    }

    async fn read_kubeconfig(&self, path: &Path) -> Result<kube::Config, KubernetesConfigError> {
        let unusable = |source| KubernetesConfigError::Kubeconfig {
            path: path.to_owned(),
            source: Box::new(source),
        };
        let mut merged = Kubeconfig::default();
        for file in std::env::split_paths(path).filter(|file| !file.as_os_str().is_empty()) {
            let next = Kubeconfig::read_from(file).map_err(unusable)?;
            merged = merged.merge(next).map_err(unusable)?;
        }
        let options = KubeConfigOptions {
            context: self.context.clone().filter(|context| !context.is_empty()),
            ..KubeConfigOptions::default()
        };
        kube::Config::from_custom_kubeconfig(merged, &options)
            .await
            .map_err(unusable)
    }
}

/// A DNS label, which names of namespaces are.
fn is_label(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}
