//! Several deliveries of one session's preparation are run by two workers at the same time.

use system_tests::stories::duplicate_delivery::deliver_again;
use system_tests::wait::STARTUP;
use system_tests::{Plan, TestSystem, exams};

#[tokio::test]
async fn two_workers_that_prepare_one_session_make_one_pod() {
    let plan = Plan {
        workers: 2,
        ..Plan::on_cluster()
    };
    let mut system = TestSystem::planned(plan).await;
    for worker in &mut system.workers {
        worker.terminate();
    }
    let mut candidates = Vec::new();
    for number in 0..3 {
        let user = format!("u-{number}");
        candidates.push(system.candidate(&user, exams::SAMPLE).await);
    }
    // Four deliveries of each session, and nobody has seen any of them yet.
    deliver_again(&system).await;
    for worker in &mut system.workers {
        worker.start_again();
    }
    for candidate in &candidates {
        let ready = system.await_state(candidate, "ready", STARTUP).await;
        assert_eq!(ready.attempt, 1, "nobody lost the race to a second attempt");
    }
    system.assert_invariants().await;
    assert_eq!(system.environments().await.len(), candidates.len());
}
