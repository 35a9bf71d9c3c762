//! One candidate's exam on the cluster, from the request to the last object.

use system_tests::logins::Login;
use system_tests::terminal::{Refused, Terminal};
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, exams};

#[tokio::test]
async fn a_candidate_works_reloads_resumes_and_leaves_nothing_behind() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    let candidate = system.ready_candidate("u-1").await;
    let door = system.door(&candidate);

    let mut terminal = system.attach(&candidate).await;
    terminal.type_line("kept=$((6*7)); echo carrel-$kept").await;
    terminal.expect("carrel-42").await;
    system.await_state(&candidate, "running", SOON).await;
    // A reloaded page is shown what was printed, in the same shell.
    drop(terminal);
    let mut terminal = system.attach(&candidate).await;
    terminal.expect("carrel-42").await;
    let lines = "for i in $(seq 1 300); do echo line-$i-$((i*i)); sleep 0.005; done";
    terminal
        .type_line(&format!("{lines}; echo d-$((1+1))-one"))
        .await;
    terminal.expect("line-50-2500").await;
    let dropped = terminal.drop_connection();
    let mut terminal = Terminal::resume(&door, dropped).await.unwrap();
    terminal.expect("d-2-one").await;
    let printed = terminal.numbered("line-");
    let expected: Vec<String> = (1..=300).map(|i| format!("line-{i}-{}", i * i)).collect();
    assert_eq!(printed, expected, "every line once, in order");
    terminal.type_line("echo same-$kept").await;
    terminal.expect("same-42").await;

    let stranger = Login::candidate("u-stranger");
    let refused = door.with_login(&stranger).ticket().await;
    assert!(
        matches!(refused, Err(Refused::Ticket(404, _))),
        "{refused:?}"
    );

    let ended = system.terminate(&candidate, &Login::operator()).await;
    ended.assert_status(202);
    TestSystem::assert_cut(&mut terminal, SOON).await;
    system.await_gone(&candidate, SOON).await;
    assert_eq!(system.environments().await, []);
    let anchors = system.runtime.anchors(system.database.install_id).await;
    assert_eq!(anchors, Vec::<String>::new());
    system.assert_invariants().await;
}

#[tokio::test]
async fn when_time_runs_out_the_terminal_is_cut_and_the_pod_is_confirmed_gone() {
    let system = TestSystem::planned(Plan::on_cluster()).await;
    exams::apply(system.pool(), &exams::lasting("short", 20)).await;
    let candidate = system.candidate("u-1", "short").await;
    system.await_state(&candidate, "ready", STARTUP).await;
    let mut terminal = system.attach(&candidate).await;
    terminal
        .type_line("while sleep 0.05; do echo tick; done")
        .await;
    terminal.expect("tick\r\ntick").await;
    TestSystem::assert_cut(&mut terminal, SOON).await;

    let ended = system.await_state(&candidate, "terminated", SOON).await;
    let kind = ended.ending.map(|ending| ending.kind);
    assert_eq!(kind.as_deref(), Some("time_expired"));
    system.await_gone(&candidate, SOON).await;
    assert_eq!(system.environments().await, []);
    system.assert_invariants().await;
}
