//! A worker dies after it made an environment and before any row says so.

use std::time::{Duration, Instant};

use system_tests::fault_proxy::FaultProxy;
use system_tests::settings::setting;
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{Candidate, Plan, TestSystem, exams};

/// A lease lasts 20 s, and the next worker looks within a second; on a busy machine both take longer.
const TAKEN_OVER: Duration = Duration::from_secs(90);

#[tokio::test]
async fn the_next_worker_adopts_the_environment_that_no_row_knows() {
    // What the first worker says to the database passes a proxy, so that its record of the new
    // environment can be held back while the engine makes it.
    let proxy = FaultProxy::before(&setting("DATABASE_URL")).await;
    let plan = Plan {
        first_worker_server: Some(proxy.place()),
        ..Plan::default()
    };
    let mut system = TestSystem::planned(plan).await;

    let candidate = system.candidate("u-1", exams::SAMPLE).await;
    await_intent(&system, &candidate).await;
    // No beat passes from here on; the last one was a few seconds ago.
    let held = Instant::now();
    proxy.hold();
    until("the environment is there", SOON, async || {
        (system.environments().await.len() == 1).then_some(())
    })
    .await;
    let uid = system.environment_uid(&candidate).await;
    assert_eq!(uid, None, "the proxy holds the record back");
    system.workers[0].kill();
    drop(proxy);

    system.add_worker();
    until("the job runs elsewhere", TAKEN_OVER, async || {
        let crashed = sqlx::query_scalar!(
            r#"SELECT count(*) AS "n!" FROM jobs
               WHERE kind = 'provision_environment' AND crash_count = 1 AND run_token = 2"#
        );
        (crashed.fetch_one(system.pool()).await.unwrap() == 1).then_some(())
    })
    .await;
    assert!(
        held.elapsed() > Duration::from_secs(10),
        "no lease is broken while it lasts"
    );
    let ready = system.await_state(&candidate, "ready", SOON).await;
    assert_eq!(
        ready.attempt, 1,
        "the environment was adopted, not made a second time"
    );
    let there = system.environments().await;
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(
        system.environment_uid(&candidate).await.as_deref(),
        Some(there[0].uid.as_str())
    );
    system.assert_invariants().await;
}

/// Waits until the row says that an environment is being made.
async fn await_intent(system: &TestSystem, candidate: &Candidate) {
    let deadline = Instant::now() + SOON;
    loop {
        let intends = sqlx::query_scalar!(
            r#"SELECT state = 'creating' AS "intends!" FROM execution_environments
               WHERE session_id = $1::text::uuid"#,
            candidate.session_id
        );
        if intends.fetch_one(system.pool()).await.unwrap() {
            return;
        }
        assert!(Instant::now() < deadline, "no worker began");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whatever_a_killed_worker_was_doing_everybody_becomes_ready_once() {
    let mut system = TestSystem::planned(Plan {
        workers: 2,
        ..Plan::default()
    })
    .await;
    let mut candidates = Vec::new();
    for number in 0..8 {
        candidates.push(
            system
                .candidate(&format!("u-{number}"), exams::SAMPLE)
                .await,
        );
    }
    // Somewhere between the first claim and the last proof.
    tokio::time::sleep(Duration::from_millis(400)).await;
    system.workers[0].kill();
    for candidate in &candidates {
        let ready = system.await_state(candidate, "ready", STARTUP).await;
        assert_eq!(ready.attempt, 1);
    }
    let there = system.environments().await;
    assert_eq!(there.len(), candidates.len());
    system.assert_invariants().await;
}
