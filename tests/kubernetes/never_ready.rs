//! What happens to an environment between its creation and the first look at it: nobody is let in,
//! and why is told.

use std::net::TcpListener;

use execution_environment::ExamDefinition;
use system_tests::api_proxy::{Point, Step};
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{Candidate, Plan, TestSystem, crew, exams};

#[tokio::test]
async fn memory_that_is_spent_before_anybody_is_let_in_is_said_to_be_too_small() {
    let spendable = exams::changed("spendable", |exam| {
        exam.limits.memory_mib = 512;
        exam.limits.scratch_mib = 600;
        // Nobody looks while it is spent, however long a busy machine takes for that.
        exam.startup_budget_seconds = 600;
    });
    let (mut system, candidate) = made_and_not_looked_at(&spendable).await;
    let uid = system.environment_uid(&candidate).await.unwrap();
    system.runtime.cluster().spend_memory(&uid).await;
    look_at_it(&mut system).await;

    let evidence = fails(&system, &candidate, "init.memory_too_small").await;
    assert!(evidence.contains("\"oom_killed\":true"), "{evidence}");
    leaves_nothing(&system, &candidate).await;
}

#[tokio::test]
async fn an_image_that_does_not_arrive_within_the_budget_leaves_it_not_ready() {
    // It takes every question, and answers none.
    let source = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/exam:1", source.local_addr().unwrap());
    let awaited = exams::changed("awaited", |exam| exam.image = image);
    let (mut system, candidate) = made_and_not_looked_at(&awaited).await;
    let cluster = system.runtime.cluster();
    until("only the image is missing", SOON, async || {
        cluster
            .has_installed_its_keeper(&candidate.session_id)
            .await
            .then_some(())
    })
    .await;
    let session = candidate.session_id.parse().unwrap();
    crew::end_budget(system.pool(), session).await;
    look_at_it(&mut system).await;

    let evidence = fails(&system, &candidate, "init.not_ready").await;
    assert!(evidence.contains("startup budget"), "{evidence}");
    // A node lets no pod go for whose image it still asks.
    drop(source);
    leaves_nothing(&system, &candidate).await;
}

/// Requests a session of an exam; its worker is killed when it has made the pod and is about to look
/// at it. So nobody looks until a worker is started again.
async fn made_and_not_looked_at(exam: &ExamDefinition) -> (TestSystem, Candidate) {
    let plan = Plan {
        is_api_proxied: true,
        ..Plan::on_cluster()
    };
    let mut system = TestSystem::planned(plan).await;
    exams::apply(system.pool(), exam).await;
    let proxy = system.api_proxy.as_ref().unwrap();
    let look = Step {
        after: Some("create pods".to_owned()),
        what: "get pods".to_owned(),
    };
    // Nothing is asked until the trap is set.
    proxy.pause();
    let candidate = system.candidate("u-1", &exam.name).await;
    let mut caught = proxy.trap(&candidate.session_id, &look, Point::Before);
    proxy.pass();
    caught.wait(STARTUP).await;
    system.workers[0].kill();
    drop(caught);
    (system, candidate)
}

async fn look_at_it(system: &mut TestSystem) {
    system.expire_leases().await;
    system.workers[0].start_again();
}

/// Waits until a session has failed, and returns the evidence.
async fn fails(system: &TestSystem, candidate: &Candidate, expected: &str) -> String {
    let code = system.await_failed(candidate, STARTUP).await;
    assert_eq!(code, expected);
    system.evidence(candidate).await
}

async fn leaves_nothing(system: &TestSystem, candidate: &Candidate) {
    let gone = system.await_gone(candidate, STARTUP).await;
    assert_eq!(gone.attempt, 1);
    assert_eq!(system.environments().await, []);
    system.assert_invariants().await;
}
