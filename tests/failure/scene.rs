//! A session's life on the real engine, worked by parts of a worker inside the test's own process.

use std::path::Path;
use std::sync::Arc;

use execution_environment::{
    EnvironmentRecord, EnvironmentRuntime, Listed, RuntimeUid, load_environment,
};
use session_identity::{ExamSessionId, InstallId};
use session_lifecycle::load_session;
use sqlx::PgPool;
use system_tests::database::TestDatabase;
use system_tests::engine::TestEngine;
use system_tests::faulty_runtime::{FaultyRuntime, RuntimeFault};
use system_tests::runtime::TestRuntime;
use system_tests::settings::setting;
use system_tests::wait::{SOON, STARTUP, on_own_thread, until};
use system_tests::{crew, exams, invariants};
use tokio_util::task::AbortOnDropHandle;

/// A database with the sample exam, and the engine.
pub(crate) struct Scene {
    database: TestDatabase,
    engine: TestEngine,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let database = TestDatabase::create(&setting("DATABASE_URL")).await;
        exams::apply(&database.pool, &exams::sample()).await;
        let engine = TestEngine::connect();
        Self { database, engine }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    pub(crate) fn real(&self) -> Arc<dyn EnvironmentRuntime> {
        Arc::new(self.engine.runtime.clone())
    }

    /// The same engine, on which environments begin with this file.
    pub(crate) fn real_with_keeper(&self, keeper: &Path) -> Arc<dyn EnvironmentRuntime> {
        Arc::new(self.engine.runtime_with_keeper(keeper))
    }

    pub(crate) const fn engine(&self) -> &TestEngine {
        &self.engine
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    pub(crate) const fn install_id(&self) -> InstallId {
        self.database.install_id
    }

    /// Every environment of this database, running or not.
    pub(crate) async fn environments(&self) -> Vec<Listed> {
        self.engine.environments(self.install_id()).await
    }

    pub(crate) async fn is_there(&self, uid: &RuntimeUid) -> bool {
        self.environments().await.iter().any(|it| it.uid == *uid)
    }

    /// Removes an environment past Carrel.
    pub(crate) async fn remove(&self, uid: &RuntimeUid) {
        self.engine.remove(uid.as_str()).await;
    }

    /// Works until the handle is dropped.
    pub(crate) fn work_on(&self, runtime: Arc<dyn EnvironmentRuntime>) -> AbortOnDropHandle<()> {
        work(self.pool().clone(), runtime)
    }

    /// Works on a faulty runtime; struck by death, another takes over.
    pub(crate) fn work_through(
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

    pub(crate) async fn await_state(&self, session: ExamSessionId, wanted: &str) {
        until(&format!("{session} is {wanted}"), STARTUP, async || {
            (self.state(session).await == wanted).then_some(())
        })
        .await;
    }

    pub(crate) async fn state(&self, session: ExamSessionId) -> String {
        let state = sqlx::query_scalar!(
            "SELECT state FROM exam_sessions WHERE id = $1",
            session.as_uuid()
        );
        state.fetch_one(self.pool()).await.unwrap()
    }

    pub(crate) async fn failure_code(&self, session: ExamSessionId) -> String {
        let code = sqlx::query_scalar!(
            r#"SELECT failure_code AS "code!" FROM exam_sessions WHERE id = $1"#,
            session.as_uuid()
        );
        code.fetch_one(self.pool()).await.unwrap()
    }

    /// What was kept as evidence of a session's failure.
    pub(crate) async fn evidence(&self, session: ExamSessionId) -> String {
        let mut conn = self.pool().acquire().await.unwrap();
        let session = load_session(&mut conn, session).await.unwrap().unwrap();
        session.failure.unwrap().evidence.to_string()
    }

    /// The row of a session's environment.
    pub(crate) async fn environment(&self, session: ExamSessionId) -> EnvironmentRecord {
        let mut conn = self.pool().acquire().await.unwrap();
        load_environment(&mut conn, session).await.unwrap().unwrap()
    }

    /// Waits until the row knows which environment was made.
    pub(crate) async fn await_uid(&self, session: ExamSessionId, uid: &RuntimeUid) {
        until(&format!("{uid} is known"), SOON, async || {
            let known = self.environment(session).await.runtime_uid;
            (known.as_ref() == Some(uid)).then_some(())
        })
        .await;
    }

    pub(crate) async fn await_dead_job(&self, session: ExamSessionId) {
        until("the job has died", SOON, async || {
            let dead = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM jobs WHERE session_id = $1 AND state = 'dead') AS "dead!""#,
                session.as_uuid()
            );
            dead.fetch_one(self.pool()).await.unwrap().then_some(())
        })
        .await;
    }

    pub(crate) async fn await_gone(&self, session: ExamSessionId) {
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

    pub(crate) async fn assert_invariants(&self) {
        let runtime = TestRuntime::Engine(self.engine.clone());
        let (pool, install_id) = (self.pool(), self.database.install_id);
        invariants::assert_none_broken(pool, install_id, &runtime).await;
        assert!(self.engine.environments(install_id).await.is_empty());
    }
}

/// Works until the handle is dropped.
pub(crate) fn work(pool: PgPool, runtime: Arc<dyn EnvironmentRuntime>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(crew::work(pool, runtime)))
}

impl Drop for Scene {
    fn drop(&mut self) {
        let (engine, install_id) = (self.engine.clone(), self.database.install_id);
        on_own_thread(move || async move {
            engine.remove_all(install_id).await;
        });
    }
}
