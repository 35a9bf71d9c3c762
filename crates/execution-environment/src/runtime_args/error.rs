//! Which setting of a runtime is unusable, and how to mend it.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

use kube::config::KubeconfigError;

use crate::engine::EngineConfigError;
use crate::kubernetes::KubernetesConfigError;

/// Says which setting of a runtime is unusable. Its text names the flag, the variable and the mend.
#[derive(Debug)]
pub enum RuntimeConfigError {
    /// A setting of the container engine.
    Engine(EngineConfigError),
    /// A setting of the cluster.
    Kubernetes(KubernetesConfigError),
    /// An engine cannot make environments without the keeper.
    NoKeeper,
    /// A cluster cannot make environments without the keeper's image.
    NoKeeperImage,
}

impl RuntimeConfigError {
    /// Names the flag at fault, without its dashes.
    pub fn flag(&self) -> &'static str {
        match self {
            Self::Engine(EngineConfigError::Address { .. }) => "docker-host",
            Self::Engine(EngineConfigError::Keeper { .. }) | Self::NoKeeper => "keeper-path",
            Self::Kubernetes(KubernetesConfigError::Kubeconfig { source, .. })
                if is_about_context(source) =>
            {
                "kube-context"
            }
            Self::Kubernetes(error) => error.field(),
            Self::NoKeeperImage => "keeper-image",
        }
    }

    /// Says what is wrong, without the mend.
    pub fn problem(&self) -> String {
        match self {
            Self::Engine(error) => format!("cannot {error}"),
            Self::Kubernetes(error) => match yaml_error(error) {
                Some(yaml) => format!("cannot {error}: its YAML does not parse: {yaml}"),
                None => format!("cannot {error}"),
            },
            Self::NoKeeper => "no keeper was named (--keeper-path, CARREL_KEEPER)".to_owned(),
            Self::NoKeeperImage => {
                "no image of the keeper was named (--keeper-image, CARREL_KEEPER_IMAGE)".to_owned()
            }
        }
    }

    /// Says what to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Engine(EngineConfigError::Address { .. }) => {
                "name a running engine as unix:///path or tcp://host:port"
            }
            Self::Engine(EngineConfigError::Keeper { .. }) | Self::NoKeeper => {
                "name the static keeper by its absolute path on the engine's host"
            }
            Self::NoKeeperImage => "name one that the cluster's nodes have or can pull",
            Self::Kubernetes(error) => of_cluster(error),
        }
    }
}

impl fmt::Display for RuntimeConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem(), self.mend())
    }
}

impl Error for RuntimeConfigError {
    /// What lies beneath the setting's own error, whose words this one's text holds already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Engine(error) => error.source(),
            Self::Kubernetes(error) if yaml_error(error).is_some() => None,
            Self::Kubernetes(error) => error.source(),
            Self::NoKeeper | Self::NoKeeperImage => None,
        }
    }
}

/// Only where the parser stopped and why: the lines around it, which its error shows as well, may
/// hold a token.
fn yaml_error(error: &KubernetesConfigError) -> Option<String> {
    let KubernetesConfigError::Kubeconfig { source, .. } = error else {
        return None;
    };
    let KubeconfigError::Parse(yaml) = &**source else {
        return None;
    };
    let text = yaml.to_string();
    let first = text.lines().next().unwrap_or_default();
    Some(first.trim_start_matches("error: ").to_owned())
}

fn is_about_context(error: &KubeconfigError) -> bool {
    matches!(
        error,
        KubeconfigError::CurrentContextNotSet | KubeconfigError::LoadContext(_)
    )
}

fn of_cluster(error: &KubernetesConfigError) -> &'static str {
    match error {
        KubernetesConfigError::Kubeconfig { source, .. } => of_kubeconfig(source),
        KubernetesConfigError::NotInCluster { .. } => {
            "name a kubeconfig, or run in a pod with the token of a service account"
        }
        KubernetesConfigError::Namespace { .. } => {
            "write it as lower-case letters, digits and hyphens, at most 63"
        }
        KubernetesConfigError::Client { .. } => {
            "mend the credentials, certificates or proxy that it names"
        }
    }
}

fn of_kubeconfig(error: &KubeconfigError) -> &'static str {
    match error {
        KubeconfigError::ReadConfig(why, _) if why.kind() == ErrorKind::NotFound => {
            "name a file that exists"
        }
        KubeconfigError::ReadConfig(..) => "name a file, and let this user read it",
        KubeconfigError::Parse(_) => "mend its YAML: `kubectl config view` must be able to read it",
        _ if is_about_context(error) => {
            "choose a context that it has: `kubectl config get-contexts` lists them"
        }
        KubeconfigError::LoadClusterOfContext(_)
        | KubeconfigError::MissingClusterUrl
        | KubeconfigError::ParseClusterUrl(_) => "mend the cluster that its context names",
        _ => "mend the credentials and certificates that its context names",
    }
}
