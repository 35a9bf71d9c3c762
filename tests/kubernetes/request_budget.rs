//! How many requests one session costs the API server.

use std::collections::BTreeMap;

use system_tests::wait::STARTUP;
use system_tests::{Plan, TestSystem, exams};

const SESSIONS: usize = 8;
/// Two creations, two deletions, the proof, what is kept as evidence, and looks: a look follows a
/// hint of the watch, or a second without one. Seen: 20, eight sessions at once.
const BUDGET: usize = 40;

#[tokio::test]
async fn a_session_costs_few_requests_and_an_idle_one_none() {
    let plan = Plan {
        is_api_proxied: true,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let proxy = system.api_proxy.as_ref().unwrap();
    let mut candidates = Vec::new();
    for number in 0..SESSIONS {
        let user = format!("u-{number}");
        candidates.push(system.candidate(&user, exams::SAMPLE).await);
    }
    for candidate in &candidates {
        system.await_state(candidate, "ready", STARTUP).await;
    }
    // All know the same pods by one watch and one list a sweep, however many they are.
    let prepared = proxy.calls().len();
    system.assert_invariants().await;
    let mut terminal = system.attach(&candidates[0]).await;
    terminal.type_line("echo worked-$((40+2))").await;
    terminal.expect("worked-42").await;
    for candidate in &candidates {
        let about = |call: &&system_tests::api_proxy::Call| call.concerns(&candidate.session_id);
        let idle = proxy.calls()[prepared..].iter().filter(about).count();
        assert_eq!(idle, 0, "nobody asks after an environment that is up");
    }
    for candidate in &candidates {
        let ended = system.terminate(candidate, &candidate.login).await;
        ended.assert_status(202);
    }
    for candidate in &candidates {
        system.await_gone(candidate, STARTUP).await;
    }
    let mut counts = BTreeMap::new();
    let calls = proxy.calls();
    for call in &calls {
        *counts.entry(call.what.clone()).or_insert(0) += 1;
    }
    let all = calls.len();
    assert!(all <= BUDGET * SESSIONS, "{all} requests: {counts:#?}");
    system.assert_invariants().await;
}
