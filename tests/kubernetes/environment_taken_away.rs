//! The cluster takes an environment away: an eviction, and a pod that matters more.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Candidate, Plan, TestSystem, Weight};

use crate::pods;

/// Keeps a pod that is being deleted in sight until the test takes it off, so that what the cluster
/// says about its end can be read whenever the sweep comes.
const IN_SIGHT: &str = "carrel.test/in-sight";

#[tokio::test]
async fn an_evicted_session_fails_as_the_platform_s_fault() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    let candidate = system.ready_candidate("u-1").await;
    let mut terminal = system.attach(&candidate).await;
    terminal.type_line("echo here-$((40+2))").await;
    terminal.expect("here-42").await;
    let name = keep_in_sight(&system, &candidate, true).await;
    system.runtime.cluster().evict(&name).await;
    assert_disrupted(&system, &candidate, "infra.disrupted_eviction").await;
    terminal.closed_within(SOON).await;
}

#[tokio::test]
async fn a_preempted_session_fails_as_the_platform_s_fault() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let cluster = system.runtime.cluster();
    let candidate = system.ready_candidate("u-1").await;
    keep_in_sight(&system, &candidate, true).await;
    let class = cluster.make_priority_class(1000).await;
    let preemptor = cluster
        .make_pod(preemptor(&system, &class.name).await)
        .await;
    assert_disrupted(&system, &candidate, "infra.disrupted_preemption").await;
    system
        .runtime
        .remove(&preemptor.metadata.uid.unwrap())
        .await;
    class.remove().await;
}

async fn assert_disrupted(system: &TestSystem, candidate: &Candidate, expected: &str) {
    let code = system.await_failed(candidate, STARTUP).await;
    assert_eq!(code, expected);
    keep_in_sight(system, candidate, false).await;
    let gone = system.await_gone(candidate, STARTUP).await;
    assert_eq!(gone.attempt, 1, "lost work is never silently made anew");
    system.assert_invariants().await;
}

async fn keep_in_sight(system: &TestSystem, candidate: &Candidate, keep: bool) -> String {
    let cluster = system.runtime.cluster();
    let pod = cluster.pod_of(&candidate.session_id).await.unwrap();
    let name = pod.metadata.name.unwrap();
    let finalizers: &[&str] = if keep { &[IN_SIGHT] } else { &[] };
    let patch = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
    let patched = cluster
        .pods()
        .patch(&name, &PatchParams::default(), &patch)
        .await;
    patched.unwrap();
    name
}

/// A pod that fits on the node only where the session's pod is: it asks for all of the processors
/// that is left, and a little.
async fn preemptor(system: &TestSystem, class: &str) -> serde_json::Value {
    let cpu = system.runtime.cluster().free_cpu_millis().await + 1;
    let cpu = format!("{cpu}m");
    let mut pod = pods::sleeping("preemptor");
    pod["spec"]["priorityClassName"] = class.into();
    pod["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": cpu }, "limits": { "cpu": cpu } });
    pod
}
