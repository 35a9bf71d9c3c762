//! A candidate attaches, works, loses the network and finds everything as it was.

use std::time::Duration;

use system_tests::TestSystem;
use system_tests::terminal::Terminal;
use system_tests::wait::SOON;

#[tokio::test]
async fn a_candidate_types_resizes_and_resumes_exactly_where_the_network_was_lost() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let door = system.door(&candidate);

    let mut terminal = system.attach(&candidate).await;
    terminal.type_line("echo carrel-$((40+2))").await;
    terminal.expect("carrel-42").await;
    terminal.resize(132, 43).await;
    let resized = "until [ \"$(stty size)\" = '43 132' ]; do sleep 0.1; done";
    terminal
        .type_line(&format!("{resized}; echo size-$((6*7))"))
        .await;
    terminal.expect("size-42").await;
    terminal.type_line("kept=$((6*7))-kept").await;
    terminal
        .read_until("the line has arrived", SOON, Terminal::input_arrived)
        .await;

    // The network goes while the shell prints; what it prints meanwhile is not lost.
    let lines = "for i in $(seq 1 400); do echo line-$i-$((i*i)); sleep 0.005; done";
    terminal
        .type_line(&format!("{lines}; echo d-$((1+1))-one"))
        .await;
    terminal.expect("line-50-2500").await;
    let dropped = terminal.drop_connection();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut terminal = Terminal::resume(&door, dropped)
        .await
        .expect("resuming is allowed");
    assert!(!terminal.replay.is_some_and(|replay| replay.truncated));
    terminal.expect("d-2-one").await;
    let printed = terminal.numbered("line-");
    let expected: Vec<String> = (1..=400).map(|i| format!("line-{i}-{}", i * i)).collect();
    assert_eq!(printed, expected, "every line once, in order");

    // It is the same shell.
    terminal.type_line("echo same-$kept").await;
    terminal.expect("same-42-kept").await;
    system.assert_invariants().await;
}

#[tokio::test]
async fn a_reloaded_page_is_shown_what_was_printed_and_types_nothing_by_itself() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let mut first = system.attach(&candidate).await;
    first.type_line("echo before-$((20+1))").await;
    first.expect("before-21").await;
    drop(first);

    let mut second = system.attach(&candidate).await;
    second.expect("before-21").await;
    let (replay, input) = (
        second.replay.expect("output is replayed"),
        second.welcome.input_offset,
    );
    assert_eq!(replay.from, second.welcome.replay_from);
    assert!(!replay.truncated, "little was printed");
    assert!(input > 0, "input goes on where the page before was");
    second.type_line("echo after-$((20+2))").await;
    second.expect("after-22").await;
}

#[tokio::test]
async fn a_shell_that_exits_says_so_and_the_next_attach_starts_a_new_one() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let mut first = system.attach(&candidate).await;
    let life = first.welcome.epoch;
    first.type_line("exit 7").await;
    first
        .expect_close(environment_access::wire::CloseCode::ShellExited, SOON)
        .await;
    assert_eq!(first.exit.as_ref().and_then(|exit| exit.code), Some(7));

    let mut second = system.attach(&candidate).await;
    assert_eq!(second.welcome.epoch, life + 1);
    second.type_line("echo new-$((1+1))-shell").await;
    second.expect("new-2-shell").await;
}

#[tokio::test]
async fn the_first_attach_starts_the_clock_and_later_ones_do_not() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    assert_eq!(system.status(&candidate).await.ends_at, None);

    let first = system.attach(&candidate).await;
    let running = system.await_state(&candidate, "running", SOON).await;
    let ends_at = running.ends_at.clone().expect("the clock runs");
    let remaining = running.remaining_ms.expect("the clock runs");
    assert!(
        (3_300_000..=3_600_000).contains(&remaining),
        "{remaining} ms of an hour are left"
    );
    drop(first);

    let second = system.attach(&candidate).await;
    let shown = second
        .welcome
        .remaining_ms
        .expect("the page is told the time");
    assert!(shown <= 3_600_000, "{shown}");
    assert_eq!(system.status(&candidate).await.ends_at, Some(ends_at));
    let activations = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM session_transitions WHERE to_state = 'running'"#
    );
    assert_eq!(activations.fetch_one(system.pool()).await.unwrap(), 1);
    system.assert_invariants().await;
}
