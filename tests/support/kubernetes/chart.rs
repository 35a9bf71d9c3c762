//! The chart's own templates, so that tests run with the rights and limits of an installation.

use tokio::sync::OnceCell;

use super::exams_namespace;
use crate::helm::succeed;

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
    create(&(namespace(release) + &objects)).await;
}

/// Makes the namespace that a release goes into, marked as this run's.
pub(super) async fn make_namespace(release: &str) {
    create(&namespace(release)).await;
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
    succeed("kubectl", &delete, "").await;
}

async fn create(objects: &str) {
    succeed("kubectl", &["create", "-f", "-"], objects).await;
}

async fn render() -> String {
    let namespace = format!("exams.namespace={}", exams_namespace(PLACEHOLDER));
    let given = ["template", "carrel", "chart", "--namespace", PLACEHOLDER];
    // Named by helm only when it asks a cluster.
    let policy = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy";
    let known = ["--set", &namespace, "--api-versions", policy];
    let values = VALUES.iter().flat_map(|value| ["--set", value]);
    let only = TEMPLATES.iter().flat_map(|path| ["--show-only", path]);
    let chosen: Vec<&str> = values.chain(only).collect();
    succeed("helm", &[&given[..], &known, &chosen].concat(), "").await
}

/// What the whole chart insists on; none of it is in the templates that are taken.
const VALUES: [&str; 4] = [
    "database.existingSecret=database",
    "tokens.existingSecret=tokens",
    "public.pageUrl=https://exam.example",
    "networkPolicy.enabled=false",
];
