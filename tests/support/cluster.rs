//! The components of the run's own cluster, one by one: stopped, killed, started again.
//!
//! Everybody on the cluster feels it, so a story that does this is a heavy one.

use std::path::{Path, PathBuf};

use crate::settings::{checkout, setting};

/// A daemon of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// Runs the containers, which outlive it.
    Containerd,
    /// Keeps the API server's objects.
    Etcd,
    /// Answers every client.
    ApiServer,
    /// Service accounts, ownership, deletion of namespaces.
    ControllerManager,
    /// Gives pods their node.
    Scheduler,
    /// Enforces `NetworkPolicy`. Asked to end, it leaves a network that enforces none; killed, the
    /// rules it made last.
    NetworkPolicies,
    /// Runs the pods, which outlive it.
    Kubelet,
    /// Carries the traffic of Services.
    Proxy,
}

impl Component {
    fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::NetworkPolicies => "netpol",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
        }
    }
}

/// The cluster that the runner started, as opposed to one that a person gave it.
#[derive(Debug, Clone)]
pub struct TestBed {
    folder: PathBuf,
    binary: PathBuf,
}

impl TestBed {
    /// Finds it by what the runner names.
    pub fn of_this_run() -> Self {
        Self {
            folder: setting("CARREL_CLUSTER_DIR").into(),
            binary: setting("CARREL_CLUSTER_BIN").into(),
        }
    }

    /// Its folder, which holds the components' logs in `log/`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Asks a component to end, and waits until it has: 10 s at most, after which it is killed.
    pub async fn stop(&self, component: Component) -> Down {
        self.end("stop", component).await
    }

    /// Kills a component without a word.
    pub async fn kill(&self, component: Component) -> Down {
        self.end("kill", component).await
    }

    /// Kills a component and starts it again, until it does its work.
    pub async fn restart(&self, component: Component) {
        self.kill(component).await.start().await;
    }

    async fn end(&self, verb: &str, component: Component) -> Down {
        // Made first: what was ended is started again even if the story breaks off here.
        let down = Down {
            bed: self.clone(),
            component: Some(component),
        };
        self.run(verb, component).await;
        down
    }

    async fn run(&self, verb: &str, component: Component) {
        let output = tokio::process::Command::from(self.command(verb, component))
            .output()
            .await
            .expect("the script starts");
        assert!(
            output.status.success(),
            "{verb} {}: {}",
            component.name(),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn command(&self, verb: &str, component: Component) -> std::process::Command {
        let mut command = std::process::Command::new(checkout("tests/cluster/component"));
        command
            .arg(&self.folder)
            .args([verb, component.name()])
            .env("CARREL_CLUSTER_BIN", &self.binary);
        command
    }
}

/// A component that is down. Dropped, it is started again, so that no story spoils the next.
#[derive(Debug)]
#[must_use = "dropped, the component is started again"]
pub struct Down {
    bed: TestBed,
    component: Option<Component>,
}

impl Down {
    /// Starts it with the settings it had, and waits until it does its work.
    pub async fn start(mut self) {
        if let Some(component) = self.component {
            self.bed.run("start", component).await;
            self.component = None;
        }
    }
}

impl Drop for Down {
    #[expect(clippy::print_stderr, reason = "libtest shows it beside the failure")]
    fn drop(&mut self) {
        let Some(component) = self.component.take() else {
            return;
        };
        let started = self.bed.command("start", component).status();
        // Panicking here would hide why the story broke off; later stories will say it.
        if !started.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be started again", component.name());
        }
    }
}
