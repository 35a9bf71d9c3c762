//! Every job is delivered again, several times at once, after it was done on the cluster.

use system_tests::{Plan, TestSystem, stories};

#[tokio::test]
async fn jobs_that_are_delivered_again_change_nothing_on_the_cluster() {
    let plan = Plan {
        workers: 2,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    stories::duplicate_delivery::tell(&system).await;
}
