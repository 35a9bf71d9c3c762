//! What happens to an environment between its creation and the first look at it: nobody is let in,
//! and why is told.

use execution_environment::RuntimeUid;
use session_identity::ExamSessionId;
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::{Weight, crew, take_places};

use crate::scene::Scene;

#[tokio::test]
async fn one_that_exits_is_made_anew_once() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let (session, uid) = made_and_not_looked_at(&scene).await;
    scene.engine().kill(uid.as_str()).await;
    is_made_anew(&scene, session, &uid).await;
}

#[tokio::test]
async fn one_that_spends_its_memory_is_too_small_where_the_engine_says_so() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let (session, uid) = made_and_not_looked_at(&scene).await;
    let is_told = scene.engine().spend_memory(uid.as_str()).await;
    // Docker says that it was the kernel, for memory. To Podman it is an exit like any other, and
    // those are tried once more.
    if is_told {
        crew::expire_leases(scene.pool()).await;
        let _crew = scene.work_on(scene.real());
        fails_at_attempt(&scene, session, 1, "init.memory_too_small").await;
    } else {
        is_made_anew(&scene, session, &uid).await;
    }
}

#[tokio::test]
async fn one_that_never_answers_within_its_budget_is_not_ready() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let (session, uid) = made_and_not_looked_at(&scene).await;
    // It runs, by all that the engine says, and nothing can be run inside.
    scene.engine().pause(uid.as_str()).await;
    crew::expire_leases(scene.pool()).await;
    let _crew = scene.work_on(scene.real());
    scene.await_uid(session, &uid).await;
    crew::end_budget(scene.pool(), session).await;
    fails_at_attempt(&scene, session, 1, "init.not_ready").await;
    let said = scene.evidence(session).await;
    assert!(said.contains("startup budget"), "{said}");
}

#[tokio::test]
async fn one_whose_command_cannot_be_started_is_tried_twice_and_has_failed_to_start() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    // Every environment begins with the keeper; this is none that can be run.
    let keeper = tempfile::NamedTempFile::new().unwrap();
    let _crew = scene.work_on(scene.real_with_keeper(keeper.path()));
    let session = crew::request(scene.pool(), "u-1").await;
    fails_at_attempt(&scene, session, 2, "init.start_failed").await;
    let said = scene.evidence(session).await;
    assert!(said.contains("permission denied"), "{said}");
}

/// Requests a session, whose worker dies when it has made the environment. So nobody looks at it.
async fn made_and_not_looked_at(scene: &Scene) -> (ExamSessionId, RuntimeUid) {
    let dies = RuntimeFault::DiesAfter;
    let faulty = FaultyRuntime::new(scene.real(), dies, 0..1);
    let doomed = scene.work_on(faulty.clone());
    let session = crew::request(scene.pool(), "u-1").await;
    faulty.struck().await;
    drop(doomed);
    let mut there = scene.environments().await;
    let made = there.pop().expect("it was made");
    (session, made.uid)
}

/// Has another worker look, which finds that it exited and makes the next attempt.
async fn is_made_anew(scene: &Scene, session: ExamSessionId, first: &RuntimeUid) {
    crew::expire_leases(scene.pool()).await;
    let _crew = scene.work_on(scene.real());
    scene.await_state(session, "ready").await;
    let row = scene.environment(session).await;
    assert_eq!(row.attempt, 2);
    assert_ne!(row.runtime_uid.as_ref(), Some(first));
    let noted = row.last_signal.expect("it is noted why");
    assert_eq!(noted["code"], "init.exited_early");
    assert_eq!(noted["signal"]["exit_code"], 137, "{noted}");
    assert!(!scene.is_there(first).await);
    crew::end(scene.pool(), session).await;
    scene.await_gone(session).await;
    scene.assert_invariants().await;
}

/// Waits until a session has failed, and leaves nothing behind.
async fn fails_at_attempt(scene: &Scene, session: ExamSessionId, attempt: i32, code: &str) {
    scene.await_state(session, "failed").await;
    assert_eq!(scene.failure_code(session).await, code);
    scene.await_gone(session).await;
    assert_eq!(scene.environment(session).await.attempt, attempt);
    scene.assert_invariants().await;
}
