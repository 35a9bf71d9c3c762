//! What keeps an environment from ever being ready, and what only delays it.

use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

/// A budget that ends before the story's patience does.
const BUDGET: u64 = 30;

#[tokio::test]
async fn an_image_or_a_command_that_is_not_there_is_named() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    let no_image = exams::changed("no-image", |exam| {
        "localhost/carrel-no-such-image:1".clone_into(&mut exam.image);
    });
    let no_shell = exams::changed("no-shell", |exam| {
        exam.shell = vec!["/no/such/shell".to_owned()];
    });
    exams::apply(system.pool(), &no_image).await;
    exams::apply(system.pool(), &no_shell).await;
    let pictured = system.candidate("u-1", "no-image").await;
    let commanded = system.candidate("u-2", "no-shell").await;

    let code = system.await_failed(&pictured, STARTUP).await;
    assert_eq!(code, "init.image_missing");
    let evidence = system.evidence(&pictured).await;
    assert!(evidence.contains("carrel-no-such-image"), "{evidence}");
    let code = system.await_failed(&commanded, STARTUP).await;
    assert!(
        ["init.start_failed", "init.exited_early"].contains(&code.as_str()),
        "{code}"
    );
    let evidence = system.evidence(&commanded).await;
    assert!(evidence.contains("/no/such/shell"), "{evidence}");
    for candidate in [&pictured, &commanded] {
        system.await_gone(candidate, SOON).await;
    }
    assert_eq!(system.environments().await, []);
    system.assert_invariants().await;
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
