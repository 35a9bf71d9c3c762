//! The settings of a runtime, the same for every process and command line that holds one.

mod error;

use std::sync::Arc;

use clap::{Args, ValueEnum};

pub use error::RuntimeConfigError;

use crate::engine::{EngineArgs, EngineConfig, EngineRuntime};
use crate::kubernetes::{KubernetesArgs, KubernetesConfig, KubernetesRuntime};
use crate::{EnvironmentRuntime, Purpose, RuntimeKind};

/// Says where environments run and how that is reached.
#[derive(Args, Clone, Debug)]
pub struct RuntimeArgs {
    /// Where environments run
    #[arg(long, env = "CARREL_RUNTIME", value_enum, default_value_t)]
    pub runtime: RuntimeChoice,
    /// The container engine; only looked at for `engine`.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// The cluster; only looked at for `kubernetes`.
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
}

/// Names a runtime on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RuntimeChoice {
    /// A Docker-compatible container engine on one host.
    #[default]
    Engine,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl From<RuntimeChoice> for RuntimeKind {
    fn from(choice: RuntimeChoice) -> Self {
        match choice {
            RuntimeChoice::Engine => Self::Engine,
            RuntimeChoice::Kubernetes => Self::Kubernetes,
        }
    }
}

impl RuntimeArgs {
    /// Prepares a client of the chosen runtime. Nothing is asked of it yet: whether it can be used
    /// is for [`EnvironmentRuntime::check`] to say.
    ///
    /// # Errors
    /// [`RuntimeConfigError`] for settings that cannot work whatever the runtime answers.
    pub async fn connect(
        self,
        purpose: Purpose,
    ) -> Result<Arc<dyn EnvironmentRuntime>, RuntimeConfigError> {
        Ok(match self.runtime {
            RuntimeChoice::Engine => Arc::new(engine(self.engine, purpose)?),
            RuntimeChoice::Kubernetes => Arc::new(self.kubernetes.connect(purpose).await?),
        })
    }
}

fn engine(args: EngineArgs, purpose: Purpose) -> Result<EngineRuntime, RuntimeConfigError> {
    let config = EngineConfig::from(args);
    if purpose == Purpose::Create && config.keeper_path.is_none() {
        return Err(RuntimeConfigError::NoKeeper);
    }
    EngineRuntime::connect(&config).map_err(RuntimeConfigError::Engine)
}

impl KubernetesArgs {
    /// Prepares a client of the cluster, as [`RuntimeArgs::connect`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn connect(self, purpose: Purpose) -> Result<KubernetesRuntime, RuntimeConfigError> {
        install_crypto_provider();
        let mut config = KubernetesConfig::from(self);
        config.keeper_image = config.keeper_image.filter(|image| !image.is_empty());
        if purpose == Purpose::Create && config.keeper_image.is_none() {
            return Err(RuntimeConfigError::NoKeeperImage);
        }
        KubernetesRuntime::connect(&config)
            .await
            .map_err(RuntimeConfigError::Kubernetes)
    }
}

/// Settles what encrypts before the first client is made, whatever other crates may bring along.
fn install_crypto_provider() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::trace!("this process has its crypto provider already");
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        runtime: RuntimeArgs,
    }

    fn args(words: &[&str]) -> RuntimeArgs {
        let all = ["x"].iter().chain(words);
        Cli::try_parse_from(all).unwrap().runtime
    }

    async fn refusal(words: &[&str], purpose: Purpose) -> RuntimeConfigError {
        args(words).connect(purpose).await.unwrap_err()
    }

    fn kubeconfig(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("kubeconfig");
        std::fs::write(&path, text).unwrap();
        path
    }

    #[tokio::test]
    async fn who_creates_names_the_keeper_and_who_only_looks_need_not() {
        let words = ["--runtime", "engine", "--docker-host", "tcp://127.0.0.1:1"];
        // Whatever the variables of whoever runs this say.
        let without_keeper = || {
            let mut args = args(&words);
            args.engine.keeper_path = None;
            args
        };
        let error = without_keeper().connect(Purpose::Create).await.unwrap_err();
        assert_eq!(error.flag(), "keeper-path");
        assert!(error.to_string().contains("CARREL_KEEPER"), "{error}");
        for purpose in [Purpose::Read, Purpose::Attach, Purpose::Destroy] {
            assert!(without_keeper().connect(purpose).await.is_ok());
        }
        let words = ["--runtime", "kubernetes", "--keeper-image", ""];
        let error = refusal(&words, Purpose::Create).await;
        assert_eq!(error.flag(), "keeper-image");
        assert!(error.to_string().contains("CARREL_KEEPER_IMAGE"), "{error}");
    }

    #[tokio::test]
    async fn an_unusable_kubeconfig_is_refused_with_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let sound = "{apiVersion: v1, kind: Config, current-context: a,
                      contexts: [{name: a, context: {cluster: c}}, {name: b, context: {cluster: d}}],
                      clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}";
        for (text, more, flag, mend) in [
            (None, &[][..], "kubeconfig", "that exists"),
            (Some("{half"), &[], "kubeconfig", "YAML"),
            (Some("[1, 2]"), &[], "kubeconfig", "YAML"),
            (
                Some("{}"),
                &[],
                "kube-context",
                "kubectl config get-contexts",
            ),
            (
                Some(sound),
                &["--kube-context", "z"],
                "kube-context",
                "kubectl config get-contexts",
            ),
            (
                Some(sound),
                &["--kube-context", "b"],
                "kubeconfig",
                "cluster",
            ),
            (
                Some(sound),
                &["--kube-namespace", "No_Name"],
                "kube-namespace",
                "lower-case",
            ),
        ] {
            let missing = folder.path().join("missing");
            let path = text.map_or(missing, |text| kubeconfig(folder.path(), text));
            let path = path.to_str().unwrap();
            let words = [&["--runtime", "kubernetes", "--kubeconfig", path], more].concat();
            let error = refusal(&words, Purpose::Read).await;
            assert_eq!(error.flag(), flag, "{text:?} {more:?}: {error}");
            assert!(
                error.to_string().contains(mend),
                "{text:?} {more:?}: {error}"
            );
        }
        let folder = folder.path().to_str().unwrap();
        let words = ["--runtime", "kubernetes", "--kubeconfig", folder];
        let error = refusal(&words, Purpose::Read).await;
        assert!(
            error.to_string().contains("let this user read it"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_kubeconfig_that_does_not_parse_is_not_repeated_since_it_may_hold_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let text = "users:\n- name: a\n  user:\n    token: c4nary\n  - }\n";
        let path = kubeconfig(folder.path(), text);
        let words = [
            "--runtime",
            "kubernetes",
            "--kubeconfig",
            path.to_str().unwrap(),
        ];
        let error = refusal(&words, Purpose::Read).await;
        let outermost: &dyn std::error::Error = &error;
        let chain = std::iter::successors(Some(outermost), |&error| error.source());
        let told: String = chain.map(ToString::to_string).collect();
        assert!(
            told.contains("line 5") && !told.contains("c4nary"),
            "{told}"
        );
    }
}
