//! The node stops reporting while one candidate works and another waits for an environment.

use std::time::Duration;

use system_tests::cluster::{Component, TestBed};
use system_tests::typist::Typist;
use system_tests::wait::{SOON, until};
use system_tests::{Plan, TestSystem, Weight, exams};

/// The cluster waits for a silent node, by default, 50 s.
const NOTICED: Duration = Duration::from_mins(2);
/// A slow start of the kubelet, and the preparation itself.
const RECOVERED: Duration = Duration::from_mins(3);
/// Half a minute of silence more, and a sweep.
const GIVEN_UP: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_silent_node_that_comes_back_has_cost_nobody_anything() {
    let plan = Plan {
        weight: Weight::Suite,
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

#[tokio::test]
async fn a_node_that_stays_silent_ends_its_exams_and_keeps_their_places_until_it_is_heard() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let working = system.ready_candidate("u-works").await;
    let down = TestBed::of_this_run().kill(Component::Kubelet).await;
    let code = system.await_failed(&working, GIVEN_UP).await;
    assert_eq!(code, "infra.node_lost");
    let evidence = system.evidence(&working).await;
    assert!(
        evidence.contains("127.0.0.1"),
        "the node is named: {evidence}"
    );
    // The teardown is a job of its own, and comes a moment later.
    until("the teardown has begun", SOON, async || {
        let state = system.status(&working).await.environment.state;
        (state == "destroying").then_some(())
    })
    .await;
    // It may still run where nobody can look, so it counts as there.
    assert_eq!(system.environments().await.len(), 1);
    down.start().await;
    system.await_gone(&working, RECOVERED).await;
    system.assert_invariants().await;
}
