//! A cluster on which nobody enforces `NetworkPolicy`.

use serde_json::json;
use system_tests::cluster::{Component, TestBed};
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Plan, TestSystem, Weight, exams};

#[tokio::test]
async fn no_session_becomes_ready_there_unless_somebody_has_answered_for_it() {
    let plan = Plan {
        weight: Weight::Suite,
        ..Plan::on_cluster()
    };
    let system = TestSystem::planned(plan).await;
    let proven = system.ready_candidate("u-proven").await;
    assert!(!waived(&system, &proven).await);

    let down = TestBed::of_this_run()
        .stop(Component::NetworkPolicies)
        .await;
    // Three attempts of fifteen seconds each and what they take to start: more than a minute holds
    // on a busy machine.
    let patient = exams::changed("patient", |exam| exam.startup_budget_seconds = 300);
    exams::apply(system.pool(), &patient).await;
    let refused = system.candidate("u-refused", "patient").await;
    let code = system.await_failed(&refused, STARTUP * 5).await;
    assert_eq!(code, "infra.isolation_unproven");
    let evidence = system.evidence(&refused).await;
    let api = system.runtime.cluster().api_server().await.to_string();
    assert!(
        evidence.contains(&api),
        "it names what answered: {evidence}"
    );
    assert!(evidence.contains("127.0.0.1"), "and where: {evidence}");
    let last = system.environment_spec(&refused).await;
    assert_eq!(last["attempt"], 3);
    assert_eq!(last["avoid"], json!(["127.0.0.1"]));
    system.await_gone(&refused, SOON).await;
    system.assert_invariants().await;

    system
        .carrel(&[
            "environments",
            "isolation",
            "waive",
            "--actor",
            "dana",
            "--reason",
            "the policies of this cluster are being repaired",
            "--for",
            "10m",
            "--confirm",
            "no_network",
        ])
        .await;
    let accepted = system.ready_candidate("u-accepted").await;
    assert!(waived(&system, &accepted).await, "the evidence names it");
    let mut terminal = system.attach(&accepted).await;
    terminal.type_line("echo open-$((40+2))").await;
    terminal.expect("open-42").await;
    system.assert_invariants().await;
    down.start().await;
}

async fn waived(system: &TestSystem, candidate: &system_tests::Candidate) -> bool {
    let evidence = system.isolation_evidence(candidate).await.to_string();
    evidence.contains("the policies of this cluster are being repaired")
}
