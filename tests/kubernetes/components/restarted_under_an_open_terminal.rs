//! The container runtime and the node's agent die under a candidate who types.

use system_tests::cluster::{Component, TestBed};
use system_tests::typist::Typist;
use system_tests::wait::SOON;
use system_tests::{Plan, TestSystem, Weight};

#[tokio::test]
async fn a_killed_containerd_and_a_killed_kubelet_lose_no_keystroke_and_no_shell() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let bed = TestBed::of_this_run();
    let candidate = system.ready_candidate("u-1").await;
    let uid = system.environment_uid(&candidate).await;
    let mut typist = Typist::sit_down(system.door(&candidate)).await;
    for component in [Component::Containerd, Component::Kubelet] {
        typist.type_lines().await;
        let down = bed.kill(component).await;
        typist.type_lines().await;
        down.start().await;
        typist.type_lines().await;
        typist.await_arrival().await;
    }
    let mut terminal = typist.prove().await;
    assert_eq!(system.environment_uid(&candidate).await, uid);
    assert_eq!(system.status(&candidate).await.state, "running");
    terminal.type_line("echo done-$((40+2))").await;
    terminal.expect("done-42").await;

    // And the cluster still takes and ends sessions.
    let next = system.ready_candidate("u-2").await;
    let ended = system.terminate(&next, &next.login).await;
    ended.assert_status(202);
    system.await_gone(&next, SOON * 2).await;
    system.assert_invariants().await;
}
