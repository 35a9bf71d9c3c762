//! Fifty candidates at once on the container engine.

use system_tests::{Plan, TestSystem, Weight, stories};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_candidates_at_once_never_see_a_byte_of_each_other() {
    let plan = Plan {
        workers: 2,
        weight: Weight::Machine,
        ..Plan::default()
    };
    let system = TestSystem::planned(plan).await;
    stories::fifty_candidates::tell(&system).await;
}
