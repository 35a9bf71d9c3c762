//! The first process of an environment is killed while a candidate works in it.

use environment_access::wire::CloseCode;
use system_tests::TestSystem;
use system_tests::terminal::Closed;
use system_tests::wait::SOON;

#[tokio::test]
async fn the_session_fails_with_how_it_exited_and_is_never_made_anew() {
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
    system.runtime.engine().kill(&uid).await;
    let closed = terminal.closed_within(SOON).await;
    // The sweep finds it long before the terminal gives up; its teardown may outrun the notification.
    let codes = [CloseCode::SessionEnded, CloseCode::EnvironmentGone].map(CloseCode::number);
    assert!(
        matches!(&closed, Closed::Code(code, _) if codes.contains(code)),
        "{closed:?}"
    );
    assert_eq!(
        system.await_failed(&candidate, SOON).await,
        "runtime.exited"
    );
    let evidence = system.evidence(&candidate).await;
    assert!(evidence.contains("137"), "it was killed: {evidence}");
    let gone = system.await_gone(&candidate, SOON).await;
    assert_eq!(
        gone.attempt, 1,
        "it held work, and is not silently replaced"
    );

    unharmed.type_line("echo neighbour-$((40+2))").await;
    unharmed.expect("neighbour-42").await;
    system.assert_invariants().await;
}
