//! Something that is not ours lies under the name of a session's pod.

use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

use crate::pods;

#[tokio::test]
async fn it_is_neither_adopted_nor_deleted_and_the_session_says_so() {
    let mut system = TestSystem::planned(Plan::on_cluster()).await;
    system.workers[0].terminate();
    let candidate = system.candidate("u-1", exams::SAMPLE).await;
    let name = format!("carrel-{}-1", candidate.session_id);
    let cluster = system.runtime.cluster().clone();
    let foreign = cluster.make_pod(pods::sleeping(&name)).await;
    system.workers[0].start_again();

    let code = system.await_failed(&candidate, STARTUP).await;
    assert_eq!(code, "infra.name_conflict");
    let evidence = system.evidence(&candidate).await;
    let uid = foreign.metadata.uid.unwrap();
    assert!(
        evidence.contains(&uid),
        "it names what lies there: {evidence}"
    );
    system.await_gone(&candidate, SOON).await;
    let there = cluster.pods().get(&name).await.unwrap();
    assert_eq!(there.metadata.uid, Some(uid));
    assert_eq!(there.metadata.deletion_timestamp, None, "it is not ours");
    system.assert_invariants().await;
}
