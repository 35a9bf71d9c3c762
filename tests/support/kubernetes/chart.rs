//! The chart's own templates, so that tests run with the rights and limits of an installation.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::{exams_namespace, kubeconfig};
use crate::settings::{checkout, setting};

/// Marks the namespaces of a test run.
pub(super) const RUN_LABEL: &str = "carrel-test-run";
/// Stands for the release's namespace where the chart was rendered once for all systems.
const PLACEHOLDER: &str = "carrel-test-placeholder";
/// What a system on this machine needs of the chart; its processes are children of the test.
const TEMPLATES: [&str; 5] = [
    "templates/exams/namespace.yaml",
    "templates/exams/network-policies.yaml",
    "templates/exams/limits.yaml",
    "templates/exams/exec-policy.yaml",
    "templates/rights.yaml",
];

static RENDERED: OnceCell<String> = OnceCell::const_new();

/// Makes the namespaces of a system, and in them what the chart has for environments.
pub(super) async fn install(release: &str) {
    let rendered = RENDERED.get_or_init(render).await;
    let objects = rendered.replace(PLACEHOLDER, release);
    kubectl(&["create", "-f", "-"], &(namespace(release) + &objects)).await;
}

/// Makes the namespace that a release goes into, marked as this run's.
pub(super) async fn make_namespace(release: &str) {
    kubectl(&["create", "-f", "-"], &namespace(release)).await;
}

fn namespace(release: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {release}\n  labels:\n    \
         {RUN_LABEL}: \"{}\"\n---\n",
        std::process::id()
    )
}

/// Deletes what [`install`] made outside of the two namespaces.
pub(super) async fn uninstall_policy(release: &str) {
    let name = format!("{release}.carrel.exec-only-keeper");
    let kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings";
    let delete = ["delete", kinds, &name, "--ignore-not-found", "--wait=false"];
    kubectl(&delete, "").await;
}

async fn render() -> String {
    let chart = checkout("deploy/chart");
    let mut helm = Command::new(setting("CARREL_CLUSTER_BIN"));
    helm.args(["helm", "template", "carrel"])
        .arg(chart)
        .args(["--namespace", PLACEHOLDER])
        .args([
            "--set",
            &format!("exams.namespace={}", exams_namespace(PLACEHOLDER)),
        ])
        // Named by helm only when it asks a cluster.
        .args([
            "--api-versions",
            "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
        ])
        .args(VALUES.iter().flat_map(|value| ["--set", value]))
        .args(TEMPLATES.iter().flat_map(|path| ["--show-only", path]));
    output(helm, "").await
}

/// What the whole chart insists on; none of it is in the templates that are taken.
const VALUES: [&str; 4] = [
    "database.existingSecret=database",
    "tokens.existingSecret=tokens",
    "public.pageUrl=https://exam.example",
    "networkPolicy.enabled=false",
];

/// Runs the cluster's own kubectl as administrator.
pub(crate) async fn kubectl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(setting("CARREL_CLUSTER_BIN"));
    command
        .arg("kubectl")
        .args(arguments)
        .env("KUBECONFIG", kubeconfig());
    output(command, input).await
}

async fn output(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the cluster's binary starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // What takes no input may have ended already.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    let done = child.wait_with_output().await.expect("it ends");
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).expect("it prints text")
}
