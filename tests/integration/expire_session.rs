//! Time runs out: the terminal is cut, the session ends, the environment goes.

use std::time::Duration;

use environment_access::wire::{CloseCode, NoticeCode};
use system_tests::terminal::{Refused, Terminal};
use system_tests::wait::{SOON, STARTUP};
use system_tests::{TestSystem, exams};

#[tokio::test]
async fn when_time_runs_out_the_terminal_is_cut_and_the_environment_is_confirmed_gone() {
    let system = TestSystem::start().await;
    exams::apply(system.pool(), &exams::lasting("short", 15)).await;
    let candidate = system.candidate("u-1", "short").await;
    system.await_state(&candidate, "ready", STARTUP).await;

    let mut terminal = system.attach(&candidate).await;
    terminal.type_line("echo in-$((1+1))-time").await;
    terminal.expect("in-2-time").await;
    // Somebody who types to the very end does not get past it.
    terminal
        .type_line("while sleep 0.05; do echo tick; done")
        .await;
    terminal.expect_close(CloseCode::SessionEnded, SOON).await;

    let ended = system.await_state(&candidate, "terminated", SOON).await;
    assert_eq!(
        ended.ending.as_ref().map(|ending| ending.kind.as_str()),
        Some("time_expired")
    );
    assert!(!ended.can_attach && !ended.can_end);
    let gone = system.await_gone(&candidate, SOON).await;
    assert!(gone.environment.gone_at.is_some());
    assert!(system.environments().await.is_empty());

    let lag = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM ended_at - ends_at)::float8 AS "lag!"
           FROM exam_sessions WHERE id = $1::text::uuid"#,
        candidate.session_id
    );
    let lag = lag.fetch_one(system.pool()).await.unwrap();
    assert!(
        (0.0..=15.0).contains(&lag),
        "it ended {lag} s after its time"
    );
    let refused = Terminal::attach(&system.door(&candidate)).await.err();
    assert!(
        matches!(refused, Some(Refused::Ticket(410, _))),
        "{refused:?}"
    );
    system.assert_invariants().await;
}

#[tokio::test]
async fn more_time_moves_the_end_and_the_terminal_is_told() {
    let system = TestSystem::start().await;
    exams::apply(system.pool(), &exams::lasting("short", 20)).await;
    let candidate = system.candidate("u-1", "short").await;
    system.await_state(&candidate, "ready", STARTUP).await;
    let mut terminal = system.attach(&candidate).await;
    let before = system.await_state(&candidate, "running", SOON).await;

    let path = format!("/v1/sessions/{}/extend", candidate.session_id);
    let body = serde_json::json!({ "by_seconds": 600, "reason": "INC-7: network outage" });
    for _ in 0..2 {
        let request = system
            .service()
            .request(reqwest::Method::POST, &path)
            .json(&body);
        let request = request.header("idempotency-key", "inc-7");
        system_tests::http::Answer::of(request)
            .await
            .assert_status(202);
    }
    let after = system.status(&candidate).await;
    let gained = after.remaining_ms.unwrap() - before.remaining_ms.unwrap();
    assert!(
        (300_000..=600_000).contains(&gained),
        "once, not twice: {gained} ms"
    );
    let told = |terminal: &Terminal| {
        terminal
            .notices
            .iter()
            .any(|notice| notice.code == NoticeCode::DeadlineMoved)
    };
    terminal
        .read_until("the page is told of the new end", SOON, told)
        .await;

    // Past the old end the shell still listens.
    tokio::time::sleep(Duration::from_secs(21)).await;
    terminal.type_line("echo still-$((1+1))-here").await;
    terminal.expect("still-2-here").await;
}
