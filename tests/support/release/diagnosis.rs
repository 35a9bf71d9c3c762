//! What a failed story leaves for a person: pods, what the cluster said, the ends of logs.

use std::process::Command;

use crate::kubernetes::TestCluster;
use crate::settings::setting;

/// Prints the state of everything in the installation's namespaces.
#[expect(clippy::print_stderr, reason = "libtest shows it beside the failure")]
pub(super) fn print(cluster: &TestCluster) {
    let exams = cluster.namespace();
    for namespace in [cluster.release_namespace(), &exams] {
        let looks: [&[&str]; 3] = [
            &["get", "pods", "--output=wide"],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &[
                "logs",
                "--selector=app.kubernetes.io/name=carrel",
                "--prefix",
                "--tail=20",
                "--max-log-requests=20",
            ],
        ];
        for look in looks {
            eprintln!(
                "--- {namespace}: {} ---\n{}",
                look.join(" "),
                said(namespace, look)
            );
        }
    }
}

fn said(namespace: &str, arguments: &[&str]) -> String {
    let done = Command::new(setting("CARREL_CLUSTER_BIN"))
        .args(["kubectl", "--namespace", namespace])
        .args(arguments)
        .env("KUBECONFIG", setting("KUBECONFIG"))
        .output();
    match done {
        Ok(done) => [done.stdout, done.stderr]
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect(),
        Err(error) => error.to_string(),
    }
}
