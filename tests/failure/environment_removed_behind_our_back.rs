//! Somebody removes an environment past Carrel.

use std::time::Duration;

use environment_access::wire::CloseCode;
use system_tests::TestSystem;
use system_tests::terminal::Closed;
use system_tests::wait::SOON;

/// The sweep looks every 15 s; what it finds is confirmed and written at once.
const NOTICED: Duration = Duration::from_secs(90);

/// Pauses or resumes the sweep that compares runtime and rows.
async fn hold_sweep(system: &TestSystem, verb: &str, more: &[&str]) {
    let words = ["schedules", verb, "sweep_runtime", "--as", "dana"];
    let why = ["--reason", "INC-7"];
    system.carrel(&[&words[..], more, &why].concat()).await;
}

#[tokio::test]
async fn the_session_fails_with_evidence_and_its_environment_is_never_made_anew() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let neighbour = system.ready_candidate("u-2").await;
    let mut terminal = system.attach(&candidate).await;
    let mut unharmed = system.attach(&neighbour).await;
    terminal.type_line("echo before-$((1+1))").await;
    terminal.expect("before-2").await;

    let uid = system
        .environment_uid(&candidate)
        .await
        .expect("it is there");
    // The terminal learns it from the runtime, whenever the sweep comes.
    hold_sweep(&system, "pause", &["--for", "30m"]).await;
    system.runtime.remove(&uid).await;
    let closed = terminal.closed_within(SOON).await;
    let gone = CloseCode::EnvironmentGone.number();
    assert!(
        matches!(&closed, Closed::Code(code, _) if *code == gone),
        "{closed:?}"
    );
    hold_sweep(&system, "resume", &[]).await;

    let failed = system.await_state(&candidate, "failed", NOTICED).await;
    let reason = failed.reason.expect("it says why");
    assert_eq!(
        (reason.class.as_str(), reason.code.as_str()),
        ("infra", "infra.pod_vanished")
    );
    assert!(
        !reason.text.is_empty() && !reason.text.contains("container"),
        "{}",
        reason.text
    );
    let gone = system.await_gone(&candidate, SOON).await;
    assert_eq!(
        gone.attempt, 1,
        "a lost environment held work; it is not silently replaced"
    );

    let evidence = system.evidence(&candidate).await;
    assert!(
        evidence.contains(&uid),
        "the evidence names what is missing: {evidence}"
    );

    unharmed.type_line("echo neighbour-$((40+2))").await;
    unharmed.expect("neighbour-42").await;
    system.assert_invariants().await;
}
