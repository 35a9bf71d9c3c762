//! A worker that its cluster lets do nothing.

use std::time::Duration;

use serde_json::Value;
use system_tests::kubernetes::Account;
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{Plan, TestSystem, exams};

/// A claim comes within a poll of 1 s, and its refusal within a request.
const A_FEW_POLLS: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_worker_without_its_rights_leaves_sessions_alone_and_says_why() {
    let mut system = TestSystem::planned(Plan::on_cluster()).await;
    let cluster = system.runtime.cluster().clone();
    let rights = cluster.take_rights(Account::Worker).await;
    system.workers[0].terminate();
    system.workers[0].start_again();
    until("the worker says what it lacks", SOON, async || {
        let told = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM workers WHERE holds_because LIKE '%create pods%'"#
        );
        let told = told.fetch_one(system.pool()).await.unwrap();
        (told == 1).then_some(())
    })
    .await;

    let candidate = system.candidate("u-1", exams::SAMPLE).await;
    tokio::time::sleep(A_FEW_POLLS).await;
    let status = system.status(&candidate).await;
    assert!(
        ["created", "initializing"].contains(&status.state.as_str()),
        "{}",
        status.state
    );
    let jobs = ["jobs", "list", "--session", &candidate.session_id];
    let jobs: Value = serde_json::from_str(&system.carrel(&jobs).await).unwrap();
    let job = jobs["data"]["jobs"][0]["id"].as_str().unwrap();
    let shown = system.carrel(&["jobs", "show", job]).await;
    assert!(
        shown.contains("workers_hold") && shown.contains("create pods"),
        "{shown}"
    );

    rights.give_back().await;
    system.await_state(&candidate, "ready", STARTUP).await;
    system.carrel(&["doctor"]).await;
    system.assert_invariants().await;
}
