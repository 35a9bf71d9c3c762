//! What is left when the release goes, and what it finds when it comes back.

use serde_json::json;
use system_tests::helm::objects;
use system_tests::release::Release;
use system_tests::terminal::Terminal;
use system_tests::wait::{STARTUP, until};

#[tokio::test]
async fn an_uninstall_leaves_a_running_exam_isolated_and_a_new_install_takes_it_up_again() {
    let release = Release::with_exam().await;
    let candidate = release.ready_candidate("u-1").await;
    let door = release.door(&candidate);
    let mut terminal = Terminal::attach(&door).await.unwrap();
    terminal.type_line("kept=$((6*7)); echo kept-$kept").await;
    terminal.expect("kept-42").await;
    let environment = release.cluster.pod_of(&candidate.session_id).await.unwrap();
    let dropped = terminal.drop_connection();

    release.uninstall().await;
    until("its processes have ended", STARTUP, async || {
        let left = release.listed("deployments,services,pods").await;
        left.is_empty().then_some(())
    })
    .await;
    assert_cluster_wide(&release, 0).await;
    let exams = release.cluster.namespace();
    let namespace = objects(&["get", "namespace", &exams]).await;
    assert_eq!(namespace[0]["status"]["phase"], "Active");
    let enforced = &namespace[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(enforced, "restricted");
    let policies = objects(&["get", "networkpolicies", "--namespace", &exams]).await;
    let spec = &policies[0]["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(spec["podSelector"], json!({}));
    let left = release.cluster.pod_of(&candidate.session_id).await.unwrap();
    assert_eq!(left.metadata.uid, environment.metadata.uid);
    let phase = left.status.and_then(|status| status.phase);
    assert_eq!(phase.as_deref(), Some("Running"));

    release.helm("install", &[]).await;
    assert_cluster_wide(&release, 2).await;
    let mut terminal = Terminal::resume(&door, dropped).await.unwrap();
    terminal.type_line("echo same-$kept").await;
    terminal.expect("same-42").await;
    release.assert_invariants().await;
}

/// A policy and its binding: all that the chart makes outside of its two namespaces.
async fn assert_cluster_wide(release: &Release, count: usize) {
    let kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings";
    let name = format!("{}.carrel.exec-only-keeper", release.namespace());
    let found = objects(&["get", kinds, &name]).await;
    assert_eq!(found.len(), count, "{found:?}");
}
