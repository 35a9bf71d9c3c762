//! The runtime fails, or the worker dies, at each call that a session's life makes to it.

use std::ops::Range;
use std::sync::Arc;

use execution_environment::EnvironmentRuntime;
use failure_classification::Signal;
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{Advance, Cause, Ending, EndingKind, Expected, Provenance, advance};
use sqlx::PgPool;
use system_tests::database::TestDatabase;
use system_tests::engine::TestEngine;
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::runtime::TestRuntime;
use system_tests::settings::setting;
use system_tests::wait::{SOON, STARTUP, on_own_thread, until};
use system_tests::{Weight, crew, exams, invariants, take_places};
use tokio_util::task::AbortOnDropHandle;

/// What a life needs at least: create, observe, verify, destroy.
const FEWEST_CALLS: usize = 4;
const ALWAYS: Range<usize> = 0..usize::MAX;

/// A database with the sample exam, and the engine.
struct Scene {
    database: TestDatabase,
    engine: TestEngine,
}

impl Scene {
    async fn set() -> Self {
        let database = TestDatabase::create(&setting("DATABASE_URL")).await;
        exams::apply(&database.pool, &exams::sample()).await;
        let engine = TestEngine::connect();
        Self { database, engine }
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    fn real(&self) -> Arc<dyn EnvironmentRuntime> {
        Arc::new(self.engine.runtime.clone())
    }

    /// Works until the handle is dropped.
    fn work_on(&self, runtime: Arc<dyn EnvironmentRuntime>) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(crew::work(self.pool().clone(), runtime)))
    }

    /// Works on a faulty runtime; struck by death, another takes over.
    fn work_through(
        &self,
        faulty: Arc<FaultyRuntime>,
        fault: RuntimeFault,
    ) -> AbortOnDropHandle<()> {
        let pool = self.pool().clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            if fault.is_deadly() {
                tokio::select! {
                    () = crew::work(pool.clone(), faulty.clone()) => {}
                    () = faulty.struck() => {}
                }
            }
            crew::work(pool, faulty).await;
        }))
    }

    async fn await_state(&self, session: ExamSessionId, wanted: &str) {
        until(&format!("{session} is {wanted}"), STARTUP, async || {
            (self.state(session).await == wanted).then_some(())
        })
        .await;
    }

    async fn state(&self, session: ExamSessionId) -> String {
        let state = sqlx::query_scalar!(
            "SELECT state FROM exam_sessions WHERE id = $1",
            session.as_uuid()
        );
        state.fetch_one(self.pool()).await.unwrap()
    }

    async fn failure_code(&self, session: ExamSessionId) -> String {
        let code = sqlx::query_scalar!(
            r#"SELECT failure_code AS "code!" FROM exam_sessions WHERE id = $1"#,
            session.as_uuid()
        );
        code.fetch_one(self.pool()).await.unwrap()
    }

    async fn await_dead_job(&self, session: ExamSessionId) {
        until("the job has died", SOON, async || {
            let dead = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM jobs WHERE session_id = $1 AND state = 'dead') AS "dead!""#,
                session.as_uuid()
            );
            dead.fetch_one(self.pool()).await.unwrap().then_some(())
        })
        .await;
    }

    /// Lets the startup budget of a session be over.
    async fn end_budget(&self, session: ExamSessionId) {
        sqlx::query!(
            "UPDATE exam_sessions SET ready_by = now(), version = version + 1 WHERE id = $1",
            session.as_uuid()
        )
        .execute(self.pool())
        .await
        .unwrap();
    }

    async fn await_gone(&self, session: ExamSessionId) {
        until(
            &format!("the environment of {session} is gone"),
            STARTUP,
            async || {
                let gone = sqlx::query_scalar!(
                    r#"SELECT state IN ('absent', 'gone') AS "gone!" FROM execution_environments
                   WHERE session_id = $1"#,
                    session.as_uuid()
                );
                gone.fetch_one(self.pool()).await.unwrap().then_some(())
            },
        )
        .await;
    }

    async fn assert_invariants(&self) {
        let runtime = TestRuntime::Engine(self.engine.clone());
        let (pool, install_id) = (self.pool(), self.database.install_id);
        invariants::assert_none_broken(pool, install_id, &runtime).await;
        assert!(self.engine.environments(install_id).await.is_empty());
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let (engine, install_id) = (self.engine.clone(), self.database.install_id);
        on_own_thread(move || async move {
            engine.remove_all(install_id).await;
        });
    }
}

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
    let step = Advance::Terminate(Ending {
        kind: EndingKind::OperatorEnded,
        note: None,
    });
    let by = Provenance {
        actor: Actor::System("tests"),
        cause: Cause::new("over"),
        job_id: None,
        trace: None,
    };
    let mut conn = scene.pool().acquire().await.unwrap();
    advance(&mut conn, first, Expected::AnyVersion, step, &by)
        .await
        .unwrap();
    drop(conn);
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
        scene.end_budget(session).await;
        scene.await_state(session, "failed").await;
        assert_eq!(scene.failure_code(session).await, code);
        drop(crew);
        let _crew = scene.work_on(scene.real());
        scene.await_gone(session).await;
        scene.assert_invariants().await;
    }
}
