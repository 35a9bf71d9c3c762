//! Somebody deletes a session's pod: while it is prepared, and while a candidate works in it.

use environment_access::wire::CloseCode;
use system_tests::api_proxy::{Point, Step};
use system_tests::terminal::Closed;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

#[tokio::test]
async fn before_ready_it_is_replaced_once_and_after_ready_the_session_fails_with_evidence() {
    let plan = Plan {
        is_api_proxied: true,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let proxy = system.api_proxy.as_ref().unwrap();

    // The worker is about to read the proof of isolation.
    proxy.pause();
    let candidate = system.candidate("u-1", exams::SAMPLE).await;
    let proof = Step {
        after: Some("create pods".to_owned()),
        what: "get pods/log".to_owned(),
    };
    let mut caught = proxy.trap(&candidate.session_id, &proof, Point::Before);
    proxy.pass();
    caught.wait(SOON).await;
    let first = system.environments().await.pop().unwrap();
    system.runtime.remove(first.uid.as_str()).await;
    let cluster = system.runtime.cluster();
    cluster.await_no_pod(first.name.as_str()).await;
    caught.release();
    let ready = system.await_state(&candidate, "ready", STARTUP).await;
    assert_eq!(ready.attempt, 2, "a new attempt, under a name of its own");
    system.assert_invariants().await;

    let neighbour = system.ready_candidate("u-2").await;
    let mut terminal = system.attach(&candidate).await;
    let mut unharmed = system.attach(&neighbour).await;
    let uid = system.environment_uid(&candidate).await.unwrap();
    // The terminal learns it from the cluster, whenever the sweep comes.
    hold_sweep(&system, "pause", &["--for", "30m"]).await;
    system.runtime.remove(&uid).await;
    let closed = terminal.closed_within(SOON).await;
    // A deleted pod has a second of grace. Both are true: its shell may end in that as shells do, and
    // on a busy machine be killed with all else before it has.
    let codes = [CloseCode::ShellExited, CloseCode::EnvironmentGone].map(CloseCode::number);
    assert!(
        matches!(&closed, Closed::Code(code, _) if codes.contains(code)),
        "{closed:?}"
    );
    hold_sweep(&system, "resume", &[]).await;
    let code = system.await_failed(&candidate, STARTUP).await;
    assert_eq!(code, "infra.pod_vanished");
    let evidence = system.evidence(&candidate).await;
    assert!(evidence.contains(&uid), "{evidence}");
    let gone = system.await_gone(&candidate, SOON).await;
    assert_eq!(gone.attempt, 2, "lost work is never silently made anew");

    unharmed.type_line("echo neighbour-$((40+2))").await;
    unharmed.expect("neighbour-42").await;
    system.assert_invariants().await;
}

/// Pauses or resumes the sweep that compares runtime and rows.
async fn hold_sweep(system: &TestSystem, verb: &str, more: &[&str]) {
    let words = ["schedules", verb, "sweep_runtime", "--as", "dana"];
    let why = ["--reason", "INC-7"];
    system.carrel(&[&words[..], more, &why].concat()).await;
}
