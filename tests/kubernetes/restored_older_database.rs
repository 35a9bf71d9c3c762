//! Somebody restores an older database.

use system_tests::{Plan, TestSystem, stories};

#[tokio::test]
async fn what_it_does_not_know_is_not_deleted_in_a_mass_and_lives_on_with_the_right_one() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    stories::restored_older_database::tell(system).await;
}
