//! The terminal process dies again and again while it records an exam that must be recorded.

use std::process::Output;
use std::time::Duration;

use execution_environment::Recording;
use serde_json::Value;
use system_tests::terminal::Terminal;
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{Candidate, TestSystem, exams};

const EXAM: &str = "recorded";
const KILLS: usize = 3;
const LINES: u32 = 6000;
const SECRET: &str = "hunter2-9f31c";

#[tokio::test]
async fn what_the_candidate_saw_is_on_record_byte_for_byte_and_what_they_typed_is_not() {
    let mut system = TestSystem::start().await;
    let exam = exams::changed(EXAM, |exam| exam.recording = Recording::FailClosed);
    exams::apply(system.pool(), &exam).await;
    let candidate = system.candidate("u-1", EXAM).await;
    system.await_state(&candidate, "ready", STARTUP).await;
    let door = system.door(&candidate);
    let mut terminal = system.attach(&candidate).await;
    let print = format!("for i in $(seq 1 {LINES}); do echo n-$i-$((i*i)); done");
    let ask = "stty -echo; PS1=; echo ask-$((6*7)); read password; echo read-$((6*7))";
    terminal.type_line(ask).await;
    // Echoed until the shell has said otherwise.
    terminal.expect("ask-42").await;
    terminal.type_line(SECRET).await;
    terminal.expect("read-42").await;
    terminal
        .type_line(&format!(
            "({print}; sleep 1; {print}; echo printed-$((6*7))) &"
        ))
        .await;
    terminal.expect("n-20-400").await;
    for _ in 0..KILLS {
        system.terminal.kill();
        let dropped = terminal.drop_connection();
        system.terminal.start_again();
        system.await_ready().await;
        terminal = Terminal::resume(&door, dropped)
            .await
            .expect("resuming is allowed");
        terminal.read_for(Duration::from_millis(300)).await;
    }
    terminal.expect("printed-42").await;
    let seen = terminal.output().to_vec();
    drop(terminal);

    let recorded = await_recorded(&system, &candidate, seen.len()).await;
    assert_eq!(recorded[..seen.len()], seen, "every byte, once, in order");
    let text = String::from_utf8_lossy(&recorded);
    assert!(!text.contains(SECRET), "nobody asked for what is typed");
    let verified = carrel(&system, "verify", &candidate, &[]).await;
    assert!(verified.status.success(), "{verified:?}");
    let verified: Value = serde_json::from_slice(&verified.stdout).expect("one document");
    let gaps = verified["data"]["gaps"].as_array().expect("a list");
    assert!(gaps.is_empty(), "{verified:#}");
    let cast = carrel(
        &system,
        "export",
        &candidate,
        &["--format", "asciicast-v3", "--to", "-"],
    )
    .await;
    assert!(String::from_utf8_lossy(&cast.stdout).contains("n-6000-36000000"));
    system.assert_invariants().await;
}

/// The recording once it holds so many bytes: a process that died leaves its last to the next one.
async fn await_recorded(system: &TestSystem, candidate: &Candidate, bytes: usize) -> Vec<u8> {
    until("everything is on record", SOON, async || {
        let raw = carrel(
            system,
            "export",
            candidate,
            &["--format", "raw", "--to", "-"],
        )
        .await;
        (raw.status.success() && raw.stdout.len() >= bytes).then_some(raw.stdout)
    })
    .await
}

async fn carrel(system: &TestSystem, verb: &str, candidate: &Candidate, more: &[&str]) -> Output {
    let begin = ["recordings", verb, "--session-id", &candidate.session_id];
    system.carrel_ends(&[&begin[..], more].concat()).await
}
