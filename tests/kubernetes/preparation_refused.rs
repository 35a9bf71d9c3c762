//! What keeps an environment from ever being ready, and what only delays it.

use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams, stories};

/// A budget that ends before the story's patience does.
const BUDGET: u64 = 30;

#[tokio::test]
async fn an_image_or_a_command_that_is_not_there_is_named() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    stories::preparation_refused::tell(&system).await;
}

#[tokio::test]
async fn a_full_namespace_refuses_the_next_and_takes_it_when_there_is_room() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    let hurried = exams::changed("hurried", |exam| exam.startup_budget_seconds = BUDGET);
    exams::apply(system.pool(), &hurried).await;
    let cluster = system.runtime.cluster();
    let first = system.ready_candidate("u-1").await;
    cluster.allow_pods(1).await;

    // Nothing of ours is being torn down, so no room is to be expected.
    let refused = system.candidate("u-2", "hurried").await;
    let code = system.await_failed(&refused, STARTUP).await;
    assert_eq!(code, "infra.quota");
    let evidence = system.evidence(&refused).await;
    assert!(evidence.contains("pods"), "the quota is named: {evidence}");
    system.await_gone(&refused, SOON).await;
    assert_eq!(
        system.environments().await.len(),
        1,
        "the first is unharmed"
    );
    system.assert_invariants().await;

    let ended = system.terminate(&first, &first.login).await;
    ended.assert_status(202);
    system.await_gone(&first, SOON).await;
    let second = system.ready_candidate("u-3").await;
    assert!(system.status(&second).await.can_attach);
    system.assert_invariants().await;
}
