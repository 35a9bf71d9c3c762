//! A namespace without its default service account refuses every pod.

use system_tests::cluster::{Component, TestBed};
use system_tests::wait::STARTUP;
use system_tests::{Plan, TestSystem, Weight, exams};

#[tokio::test]
async fn a_namespace_without_its_default_account_only_delays_a_session() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let patient = exams::changed("patient", |exam| exam.startup_budget_seconds = 180);
    exams::apply(system.pool(), &patient).await;
    // It would make the account anew within a moment.
    let down = TestBed::of_this_run()
        .kill(Component::ControllerManager)
        .await;
    system.runtime.cluster().delete_default_account().await;
    let candidate = system.candidate("u-1", "patient").await;
    system
        .await_reason(&candidate, "infra.api_unavailable", STARTUP)
        .await;
    assert_eq!(system.environments().await, []);
    down.start().await;
    let ready = system.await_state(&candidate, "ready", STARTUP * 2).await;
    assert_eq!(ready.attempt, 1, "the same attempt was tried again");
    system.assert_invariants().await;
}
