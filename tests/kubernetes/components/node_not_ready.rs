//! The node stops reporting while one candidate works and another waits for an environment.

use std::time::Duration;

use system_tests::cluster::{Component, TestBed};
use system_tests::typist::Typist;
use system_tests::wait::until;
use system_tests::{Plan, TestSystem, Weight, exams};

/// The cluster waits for a silent node, by default, 50 s.
const NOTICED: Duration = Duration::from_mins(2);
/// A slow start of the kubelet, and the preparation itself.
const RECOVERED: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_silent_node_that_comes_back_has_cost_nobody_anything() {
    let plan = Plan {
        weight: Weight::Whole,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let patient = exams::changed("patient", |exam| exam.startup_budget_seconds = 300);
    exams::apply(system.pool(), &patient).await;
    let working = system.ready_candidate("u-works").await;
    let uid = system.environment_uid(&working).await;
    let mut typist = Typist::sit_down(system.door(&working)).await;
    typist.type_lines().await;

    let down = TestBed::of_this_run().kill(Component::Kubelet).await;
    let waiting = system.candidate("u-waits", "patient").await;
    typist.type_lines().await;
    let cluster = system.runtime.cluster();
    until("the cluster misses its node", NOTICED, async || {
        (!cluster.is_node_ready().await).then_some(())
    })
    .await;
    assert_eq!(system.status(&waiting).await.state, "initializing");
    assert_eq!(system.status(&working).await.state, "running");
    down.start().await;

    system.await_state(&waiting, "ready", RECOVERED).await;
    typist.type_lines().await;
    typist.prove().await;
    assert_eq!(system.environment_uid(&working).await, uid);
    assert_eq!(system.status(&working).await.state, "running");
    system.assert_invariants().await;
}
