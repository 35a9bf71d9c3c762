//! The cluster, the images and the namespaces that the tests run with.

use std::panic::AssertUnwindSafe;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use execution_environment::ExamDefinition;
use execution_environment::conformance::{Bench, CHECKS};
use execution_environment::kubernetes::{
    KubernetesConfig, KubernetesHardening, KubernetesRuntime, Placement,
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A cluster under load makes a service account, or takes a namespace away, within this time.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);

/// Reads what `cargo xtask test` sets. Isolation is never skipped and never imitated, so without
/// a cluster these tests fail.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line; the runner passes variables"
)]
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run this suite with `cargo xtask test`, which starts a cluster")
    })
}

/// An exam that the cluster can run: it limits processes by node, and not below 256.
pub(crate) fn exam() -> ExamDefinition {
    let mut exam =
        ExamDefinition::parse(include_str!("../exam.json")).expect("the sample is sound");
    exam.image = setting("CARREL_TEST_IMAGE");
    exam.limits.pids = 256;
    exam
}

/// A namespace of one test, gone with it.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// As an installation has it: only restricted pods, and no network for any of them.
    pub(crate) async fn restricted() -> Self {
        let namespace = Self::make("restricted").await;
        namespace.apply(&deny_all()).await;
        namespace.service_account().await;
        namespace
    }

    /// One that takes every pod, with no network for any of them.
    pub(crate) async fn permissive() -> Self {
        let namespace = Self::make("privileged").await;
        namespace.apply(&deny_all()).await;
        namespace.service_account().await;
        namespace
    }

    /// One whose pods have a network.
    pub(crate) async fn open() -> Self {
        let namespace = Self::make("restricted").await;
        namespace.service_account().await;
        namespace
    }

    async fn make(level: &str) -> Self {
        let name = format!("carrel-test-{}", uuid::Uuid::new_v4().simple());
        let namespace = Self { name };
        let labels =
            json!({ "pod-security.kubernetes.io/enforce": level, "carrel.test": "runtime" });
        let wanted = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": namespace.name, "labels": labels },
        });
        kubectl(&["apply", "-f", "-"], Some(&wanted)).await;
        namespace
    }

    /// Without it the first pod would be refused.
    async fn service_account(&self) {
        let found = [
            "get",
            "serviceaccount",
            "default",
            "--ignore-not-found",
            "-o",
            "name",
        ];
        self.until(&found, |answer| !answer.trim().is_empty()).await;
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let asked = tokio::time::timeout(PATIENCE, async {
            loop {
                let answer = self.kubectl(arguments).await;
                if wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        let asked = asked.await;
        asked.unwrap_or_else(|_| panic!("{arguments:?} did not answer as wanted in {PATIENCE:?}"))
    }

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments = [&["-n", &self.name], arguments].concat();
        kubectl(&arguments, None).await
    }

    pub(crate) async fn apply(&self, object: &Value) {
        kubectl(&["-n", &self.name, "apply", "-f", "-"], Some(object)).await;
    }

    /// Makes something that keeps a deleted namespace from going.
    pub(crate) async fn hold(&self, name: &str) {
        let metadata = json!({ "name": name, "finalizers": ["carrel.test/held"] });
        self.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))
            .await;
    }

    /// Lets it go.
    pub(crate) async fn release(&self, name: &str) {
        let patch = r#"{ "metadata": { "finalizers": null } }"#;
        self.kubectl(&["patch", "configmap", name, "--type=merge", "-p", patch])
            .await;
    }

    /// Panics unless nothing of ours is in it, not even half of something.
    pub(crate) async fn assert_empty(&self) {
        let found = self
            .kubectl(&["get", "pods,configmaps", "-o", "name"])
            .await;
        let ours: Vec<&str> = found
            .lines()
            .filter(|line| *line != "configmap/kube-root-ca.crt")
            .collect();
        assert!(ours.is_empty(), "left in {}: {ours:?}", self.name);
    }

    /// A runtime in this namespace as it is in production.
    pub(crate) async fn runtime(&self) -> KubernetesRuntime {
        KubernetesRuntime::connect(&self.config())
            .await
            .expect("connect")
    }

    /// What reaches the cluster with every right, in no namespace of this test.
    pub(crate) fn admin_config() -> KubernetesConfig {
        KubernetesConfig {
            kubeconfig: Some(setting("KUBECONFIG").into()),
            context: None,
            namespace: "default".to_owned(),
            keeper_image: Some(setting("CARREL_KEEPER_IMAGE")),
            isolation_probes: Vec::new(),
            node_pids: None,
            placement: Placement::default(),
        }
    }

    pub(crate) fn config(&self) -> KubernetesConfig {
        KubernetesConfig {
            namespace: self.name.clone(),
            ..Self::admin_config()
        }
    }

    pub(crate) async fn bench(&self) -> Bench {
        self.bench_with(&self.config()).await
    }

    /// A bench that reaches the cluster in another way.
    pub(crate) async fn bench_with(&self, config: &KubernetesConfig) -> Bench {
        let runtime = KubernetesRuntime::connect(config).await.expect("connect");
        Bench::new(Arc::new(runtime), exam())
    }

    /// A bench whose environments lack protections.
    pub(crate) async fn bench_without(&self, hardening: KubernetesHardening) -> Bench {
        let runtime = KubernetesRuntime::connect_weakened(&self.config(), hardening).await;
        Bench::new(Arc::new(runtime.expect("connect")), exam())
    }

    /// Asks for its deletion; what is in it goes with it.
    pub(crate) async fn delete(&self) {
        kubectl(&["delete", "namespace", &self.name, "--wait=false"], None).await;
    }

    /// Runs a test in this namespace and takes it away, whatever became of it.
    pub(crate) async fn with<'a>(&'a self, test: impl Future<Output = ()> + 'a) {
        let ended = AssertUnwindSafe(test).catch_unwind().await;
        self.delete().await;
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    }
}

fn deny_all() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": "default-deny" },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"] },
    })
}

pub(crate) async fn kubectl(arguments: &[&str], input: Option<&Value>) -> String {
    let mut child = Command::new(setting("CARREL_CLUSTER_BIN"))
        .arg("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("it has an input");
    if let Some(input) = input {
        let input = input.to_string();
        stdin.write_all(input.as_bytes()).await.expect("it reads");
    }
    drop(stdin);
    let output = child.wait_with_output().await.expect("kubectl ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs one check of the suite in a namespace of its own.
pub(crate) async fn on_bench(name: &str) {
    let (_, check) = CHECKS
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("the check exists");
    let namespace = Namespace::restricted().await;
    let bench = namespace.bench().await;
    namespace
        .with(async {
            let ended = AssertUnwindSafe(check(&bench)).catch_unwind().await;
            bench.clear().await;
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        })
        .await;
}
