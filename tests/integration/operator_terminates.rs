//! Somebody ends a session: at once, in every state, whatever the candidate is doing.

use std::time::Duration;

use system_tests::logins::Login;
use system_tests::wait::SOON;
use system_tests::{TestSystem, exams};

#[tokio::test]
async fn an_operator_ends_a_session_and_no_key_reaches_the_shell_any_more() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let mut terminal = system.attach(&candidate).await;
    terminal
        .type_line("while sleep 0.05; do date +%N >> ~/ticks; done")
        .await;
    terminal.read_for(Duration::from_millis(300)).await;

    let told = system
        .terminate(&candidate, &Login::operator())
        .await
        .expect(202);
    assert_eq!(
        system_tests::system::read(&told).session_id,
        candidate.session_id
    );
    TestSystem::assert_cut(&mut terminal, SOON).await;

    let ended = system.await_state(&candidate, "terminated", SOON).await;
    let ending = ended.ending.expect("it says how it ended");
    assert_eq!(
        (ending.kind.as_str(), ending.by.as_deref()),
        ("operator_ended", Some("staff"))
    );
    system.await_gone(&candidate, SOON).await;
    system
        .terminate(&candidate, &Login::operator())
        .await
        .assert_status(410);

    let story = sqlx::query!(
        "SELECT to_state, actor FROM session_transitions WHERE session_id = $1::text::uuid
         ORDER BY version",
        candidate.session_id
    );
    let story = story.fetch_all(system.pool()).await.unwrap();
    let states: Vec<&str> = story.iter().map(|step| step.to_state.as_str()).collect();
    assert_eq!(
        states,
        ["created", "initializing", "ready", "running", "terminated"]
    );
    assert_eq!(story[0].actor, "service:exam-platform");
    assert_eq!(story[4].actor, "staff:dana");
    system.assert_invariants().await;
}

#[tokio::test]
async fn a_session_that_is_still_being_prepared_ends_too_and_leaves_nothing() {
    let system = TestSystem::start().await;
    let mut candidates = Vec::new();
    for number in 0..4 {
        let candidate = system
            .candidate(&format!("u-{number}"), exams::SAMPLE)
            .await;
        // Each a little further on its way.
        tokio::time::sleep(Duration::from_millis(120 * number)).await;
        system
            .terminate(&candidate, &Login::operator())
            .await
            .assert_status(202);
        candidates.push(candidate);
    }
    for candidate in &candidates {
        system.await_state(candidate, "terminated", SOON).await;
    }
    system.assert_invariants().await;
    let left = system.environments().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_candidate_ends_their_own_session_and_may_start_another() {
    let system = TestSystem::start().await;
    let first = system.ready_candidate("u-1").await;
    system
        .terminate(&first, &first.login)
        .await
        .assert_status(202);
    let ended = system.await_state(&first, "terminated", SOON).await;
    assert_eq!(
        ended.ending.map(|ending| ending.kind).as_deref(),
        Some("candidate_ended")
    );
    let second = system.candidate("u-1", exams::SAMPLE).await;
    assert_ne!(first.session_id, second.session_id);
}
