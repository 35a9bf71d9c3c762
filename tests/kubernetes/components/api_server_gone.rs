//! The API server is gone for a while: what is there goes on, what is asked for waits.

use std::time::Duration;

use system_tests::cluster::{Component, TestBed};
use system_tests::typist::Typist;
use system_tests::wait::SOON;
use system_tests::{Plan, TestSystem, Weight, exams};

const GONE: Duration = Duration::from_mins(1);
/// The outage, a slow start of the API server, and the preparation itself.
const RECOVERED: Duration = Duration::from_mins(3);

#[tokio::test]
async fn sessions_outlive_it_preparations_wait_for_it_and_nothing_is_concluded_from_silence() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let patient = exams::changed("patient", |exam| exam.startup_budget_seconds = 300);
    exams::apply(system.pool(), &patient).await;
    let working = system.ready_candidate("u-works").await;
    let leaving = system.ready_candidate("u-leaves").await;
    let mut typist = Typist::sit_down(system.door(&working)).await;
    typist.type_lines().await;

    let under_way = system.candidate("u-under-way", "patient").await;
    let down = TestBed::of_this_run().kill(Component::ApiServer).await;
    let asked_meanwhile = system.candidate("u-meanwhile", "patient").await;
    typist.type_lines().await;
    let ended = system.terminate(&leaving, &leaving.login).await;
    ended.assert_status(202);
    // An end is final at once, whatever the cluster does.
    system.await_state(&leaving, "terminated", SOON).await;
    tokio::time::sleep(GONE).await;
    for waiting in [&under_way, &asked_meanwhile] {
        let state = system.status(waiting).await.state;
        assert!(
            ["initializing", "ready"].contains(&state.as_str()),
            "{state}"
        );
    }
    assert_ne!(system.status(&leaving).await.environment.state, "gone");
    assert_eq!(system.status(&working).await.state, "running");
    down.start().await;

    for waiting in [&under_way, &asked_meanwhile] {
        let ready = system.await_state(waiting, "ready", RECOVERED).await;
        // No attempt is given up for the silence. But the node's own agent asks again after half a
        // minute only, and a pod that a node does not set up in time is made anew, once.
        assert!(ready.attempt <= 2, "{ready:?}");
    }
    system.await_gone(&leaving, RECOVERED).await;
    typist.prove().await;
    assert_eq!(system.status(&working).await.state, "running");
    system.assert_invariants().await;
}
