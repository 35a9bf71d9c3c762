//! A worker dies before and after each single request to the API server, while it prepares a
//! session and while it ends one.

use system_tests::api_proxy::{Point, Step, steps};
use system_tests::logins::Login;
use system_tests::wait::{SOON, STARTUP};
use system_tests::{Candidate, Plan, TestSystem, exams};

#[tokio::test]
async fn whichever_request_was_its_last_the_next_worker_goes_on_from_there() {
    let plan = Plan {
        is_api_proxied: true,
        ..Plan::on_cluster()
    };
    let mut system = TestSystem::planned(plan).await;
    let (preparing, ending) = requests_of_one_session(&system).await;
    let expected = [
        "create configmaps",
        "create pods",
        "get pods",
        "get pods/log",
    ];
    assert_holds(&preparing, &expected);
    assert_holds(&ending, &["delete pods", "get pods", "delete configmaps"]);

    let mut candidates = Vec::new();
    for (number, (step, point)) in both_sides(&preparing).enumerate() {
        let user = format!("u-{number}");
        let candidate = kill_while_preparing(&mut system, &user, &step, point).await;
        candidates.push(candidate);
        // Two processors hold few at once; every third is kept for the second half.
        if candidates.len() > ending.len() * 2 {
            let spare = candidates.pop().unwrap();
            end(&system, &spare).await;
        }
    }
    system.assert_invariants().await;
    while candidates.len() < ending.len() * 2 {
        let user = format!("more-{}", candidates.len());
        candidates.push(system.ready_candidate(&user).await);
    }
    for ((step, point), candidate) in both_sides(&ending).zip(&candidates) {
        kill_while_ending(&mut system, candidate, &step, point).await;
    }
    assert_eq!(system.environments().await, []);
    system.assert_invariants().await;
}

/// What a worker asks for one session, when nothing goes wrong: to prepare it, and to end it.
async fn requests_of_one_session(system: &TestSystem) -> (Vec<Step>, Vec<Step>) {
    let candidate = system.ready_candidate("u-undisturbed").await;
    let proxy = system.api_proxy.as_ref().unwrap();
    let preparing = steps(&proxy.calls(), &candidate.session_id);
    end(system, &candidate).await;
    let mut ending = steps(&proxy.calls(), &candidate.session_id);
    ending.retain(|step| !preparing.contains(step));
    (preparing, ending)
}

fn assert_holds(steps: &[Step], expected: &[&str]) {
    for what in expected {
        let found = steps.iter().any(|step| step.what == *what);
        assert!(found, "no {what} among {steps:#?}");
    }
}

fn both_sides(steps: &[Step]) -> impl Iterator<Item = (Step, Point)> {
    let sides = |step: &Step| [Point::Before, Point::After].map(|point| (step.clone(), point));
    steps.iter().flat_map(sides)
}

async fn kill_while_preparing(
    system: &mut TestSystem,
    user: &str,
    step: &Step,
    point: Point,
) -> Candidate {
    let proxy = system.api_proxy.as_ref().unwrap();
    // Nothing is asked until the trap is set.
    proxy.pause();
    let candidate = system.candidate(user, exams::SAMPLE).await;
    let mut caught = proxy.trap(&candidate.session_id, step, point);
    proxy.pass();
    caught.wait(SOON).await;
    kill_and_start_again(system).await;
    drop(caught);
    let ready = system.await_state(&candidate, "ready", STARTUP).await;
    assert_eq!(ready.attempt, 1, "killed {point:?} {step}");
    assert_one_pod(system, &candidate).await;
    candidate
}

async fn kill_while_ending(
    system: &mut TestSystem,
    candidate: &Candidate,
    step: &Step,
    point: Point,
) {
    let proxy = system.api_proxy.as_ref().unwrap();
    let mut caught = proxy.trap(&candidate.session_id, step, point);
    let asked = system.terminate(candidate, &Login::operator()).await;
    asked.assert_status(202);
    caught.wait(SOON).await;
    kill_and_start_again(system).await;
    drop(caught);
    system.await_gone(candidate, STARTUP).await;
    let pod = system.runtime.cluster().pod_of(&candidate.session_id).await;
    assert!(pod.is_none(), "killed {point:?} {step}");
}

async fn kill_and_start_again(system: &mut TestSystem) {
    system.workers[0].kill();
    system.expire_leases().await;
    system.workers[0].start_again();
}

async fn assert_one_pod(system: &TestSystem, candidate: &Candidate) {
    let there = system.environments().await;
    let its: Vec<_> = there
        .iter()
        .filter(|one| one.labels.session_id.to_string() == candidate.session_id)
        .collect();
    assert_eq!(its.len(), 1, "{its:?}");
    let known = system.environment_uid(candidate).await;
    assert_eq!(known.as_deref(), Some(its[0].uid.as_str()));
}

async fn end(system: &TestSystem, candidate: &Candidate) {
    let asked = system.terminate(candidate, &Login::operator()).await;
    asked.assert_status(202);
    system.await_gone(candidate, STARTUP).await;
}
