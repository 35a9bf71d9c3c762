//! Fifty candidates at once on the cluster, each in a pod beside all others.

use system_tests::{Plan, TestSystem, Weight, stories};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_pods_at_once_never_see_a_byte_of_each_other_nor_reach_anything() {
    let plan = Plan {
        workers: 2,
        weight: Weight::Machine,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    stories::fifty_candidates::tell(&system).await;
}
