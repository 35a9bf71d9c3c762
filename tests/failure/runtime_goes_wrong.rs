//! The runtime fails, or the worker dies, at each call that a session's life makes to it.

use std::ops::Range;

use failure_classification::Signal;
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::{Weight, crew, take_places};

use crate::prepared::{bring, end};
use crate::scene::Scene;

/// What a life needs at least: create, observe, verify, destroy.
const FEWEST_CALLS: usize = 4;
const ALWAYS: Range<usize> = 0..usize::MAX;

#[tokio::test]
async fn a_session_comes_and_goes_whichever_call_fails() {
    at_every_call(RuntimeFault::FailsBefore).await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_answer_is_lost() {
    at_every_call(RuntimeFault::FailsAfter).await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_call_the_worker_dies_before() {
    at_every_call(RuntimeFault::DiesBefore).await;
}

#[tokio::test]
async fn a_session_comes_and_goes_whichever_call_the_worker_dies_after() {
    at_every_call(RuntimeFault::DiesAfter).await;
}

async fn at_every_call(fault: RuntimeFault) {
    for call in 0.. {
        let _place = take_places(Weight::Light).await;
        let scene = Scene::set().await;
        let faulty = FaultyRuntime::new(scene.real(), fault, call..call + 1);
        let _crew = scene.work_through(faulty.clone(), fault);
        let session = crew::request(scene.pool(), "u-1").await;
        scene.await_state(session, "ready").await;
        crew::activate(scene.pool(), session).await;
        scene.await_state(session, "running").await;
        crew::end(scene.pool(), session).await;
        scene.await_gone(session).await;
        assert_eq!(
            scene.state(session).await,
            "terminated",
            "{fault:?} at {call}"
        );
        scene.assert_invariants().await;
        if !faulty.has_struck() {
            assert!(call >= FEWEST_CALLS, "only {call} calls");
            return;
        }
    }
}

#[tokio::test]
async fn an_image_that_is_missing_at_one_glimpse_is_looked_at_again_and_at_two_is_missing() {
    let _place = take_places(Weight::Light).await;
    let missing = Signal::ImageMissing {
        image: "exam:1".to_owned(),
        message: "no such image".to_owned(),
    };
    for (glimpses, state) in [(0..1, "ready"), (0..2, "failed")] {
        let scene = Scene::set().await;
        let fault = RuntimeFault::FailsBefore;
        let faulty = FaultyRuntime::saying(scene.real(), fault, glimpses, missing.clone());
        let _crew = scene.work_on(faulty);
        let session = crew::request(scene.pool(), "u-1").await;
        scene.await_state(session, state).await;
        if state == "failed" {
            assert_eq!(scene.failure_code(session).await, "init.image_missing");
        }
        crew::end(scene.pool(), session).await;
        scene.await_gone(session).await;
        scene.assert_invariants().await;
    }
}

#[tokio::test]
async fn a_full_quota_is_waited_for_while_an_environment_of_ours_is_on_its_way_out() {
    let _place = take_places(Weight::Light).await;
    let scene = Scene::set().await;
    let full = Signal::QuotaExceeded {
        message: "exceeded quota".to_owned(),
        cleanup_pending: false,
    };
    let at = |calls| {
        let fault = RuntimeFault::FailsBefore;
        FaultyRuntime::saying(scene.real(), fault, calls, full.clone())
    };
    let first = crew::request(scene.pool(), "u-1").await;
    let crew = scene.work_on(scene.real());
    scene.await_state(first, "ready").await;
    drop(crew);

    let hopeless = crew::request(scene.pool(), "u-2").await;
    let crew = scene.work_on(at(ALWAYS));
    scene.await_state(hopeless, "failed").await;
    assert_eq!(scene.failure_code(hopeless).await, "infra.quota");
    drop(crew);

    // It has ended, and no worker has come to remove its environment.
    bring(scene.pool(), first, &[end()]).await;
    let patient = crew::request(scene.pool(), "u-3").await;
    let _crew = scene.work_on(at(0..3));
    scene.await_state(patient, "ready").await;
    for session in [first, patient] {
        crew::end(scene.pool(), session).await;
        scene.await_gone(session).await;
    }
    scene.assert_invariants().await;
}

#[tokio::test]
async fn what_does_not_become_ready_in_time_fails_with_what_kept_it() {
    let _place = take_places(Weight::Light).await;
    for (fault, code) in [
        (RuntimeFault::FailsBefore, "infra.api_unavailable"),
        (RuntimeFault::Panics, "infra.job_exhausted"),
    ] {
        let scene = Scene::set().await;
        let session = crew::request(scene.pool(), "u-1").await;
        sqlx::query!("UPDATE jobs SET max_attempts = 1 WHERE kind = 'provision_environment'")
            .execute(scene.pool())
            .await
            .unwrap();
        let crew = scene.work_on(FaultyRuntime::new(scene.real(), fault, ALWAYS));
        scene.await_state(session, "initializing").await;
        scene.await_dead_job(session).await;
        crew::end_budget(scene.pool(), session).await;
        scene.await_state(session, "failed").await;
        assert_eq!(scene.failure_code(session).await, code);
        drop(crew);
        let _crew = scene.work_on(scene.real());
        scene.await_gone(session).await;
        scene.assert_invariants().await;
    }
}
