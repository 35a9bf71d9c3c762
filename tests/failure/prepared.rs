//! Sessions brought as far as a story needs them, without a worker.

use execution_environment::{
    EnvironmentSpec, RuntimeKind, RuntimeUid, begin_attempt, install_id, record_created, record_up,
};
use job_queue::{JobFilter, list_jobs};
use serde_json::json;
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{
    Advance, Cause, Ending, EndingKind, Expected, Provenance, advance, load_session,
};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use system_tests::exams;

use crate::scene::Scene;

/// Brings a session there, step by step.
pub(crate) async fn bring(pool: &PgPool, session: ExamSessionId, steps: &[Advance]) {
    let mut conn = pool.acquire().await.unwrap();
    for step in steps {
        let by = Provenance {
            actor: Actor::System("tests"),
            cause: Cause::new("prepared"),
            job_id: None,
            trace: None,
        };
        let moved = advance(&mut conn, session, Expected::AnyVersion, step.clone(), &by);
        moved.await.unwrap();
    }
}

/// The end of a session, of which nobody else is told.
pub(crate) fn end() -> Advance {
    Advance::Terminate(Ending {
        kind: EndingKind::OperatorEnded,
        note: None,
    })
}

/// Brings a session to ready on an environment that is there; returns its uid.
pub(crate) async fn ready(scene: &Scene, session: ExamSessionId) -> RuntimeUid {
    let real = scene.real();
    let make = async |spec: &EnvironmentSpec| real.create(spec).await.unwrap().uid;
    ready_on(scene.pool(), session, make).await
}

/// Brings a session to ready on an environment of which the runtime knows nothing any more.
pub(crate) async fn ready_on_nothing(pool: &PgPool, session: ExamSessionId) {
    let made = async |_: &EnvironmentSpec| RuntimeUid::from_runtime(format!("was-of-{session}"));
    ready_on(pool, session, made).await;
}

async fn ready_on(
    pool: &PgPool,
    session: ExamSessionId,
    make: impl AsyncFnOnce(&EnvironmentSpec) -> RuntimeUid,
) -> RuntimeUid {
    bring(pool, session, &[Advance::ToInitializing]).await;
    let spec = spec(pool, session, 1).await;
    let (engine, name) = (RuntimeKind::Engine, spec.runtime_name());
    let mut conn = pool.acquire().await.unwrap();
    let begun = begin_attempt(&mut conn, session, 0, engine, &name, &spec).await;
    begun.unwrap().unwrap();
    let uid = make(&spec).await;
    let created = record_created(&mut conn, session, 1, &uid).await;
    created.unwrap().unwrap();
    let up = record_up(&mut conn, session, 1, &uid, &json!({})).await;
    up.unwrap().unwrap();
    drop(conn);
    bring(pool, session, &[Advance::ToReady]).await;
    uid
}

/// What an attempt of a session asks of the runtime.
pub(crate) async fn spec(pool: &PgPool, session: ExamSessionId, attempt: i32) -> EnvironmentSpec {
    let mut conn = pool.acquire().await.unwrap();
    let row = load_session(&mut conn, session).await.unwrap().unwrap();
    EnvironmentSpec {
        install_id: install_id(&mut conn).await.unwrap(),
        session_id: session,
        user_id: row.user_id,
        environment_id: row.environment_id,
        attempt,
        exam: exams::sample(),
        deadline: None,
        avoid: Vec::new(),
    }
}

/// Changes rows past Carrel; `$id` is the session.
pub(crate) async fn change(pool: &PgPool, session: ExamSessionId, sql: &str) {
    let changed = sqlx::raw_sql(about(session, sql)).execute(pool).await;
    assert_ne!(changed.unwrap().rows_affected(), 0, "nothing to change");
}

/// Asks the rows something that they answer with yes or no; `$id` is the session.
pub(crate) async fn holds(pool: &PgPool, session: ExamSessionId, sql: &str) -> bool {
    let row = sqlx::raw_sql(about(session, sql)).fetch_one(pool).await;
    row.unwrap().get(0)
}

/// How many jobs of a kind a session has or had.
pub(crate) async fn jobs(pool: &PgPool, session: ExamSessionId, kind: &str) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    let its = JobFilter {
        session_id: Some(session),
        kind: Some(kind.to_owned()),
        ..JobFilter::default()
    };
    list_jobs(&mut conn, &its, None, 10).await.unwrap().len()
}

/// Lets what was put off of a session be due now.
pub(crate) async fn hurry(pool: &PgPool, session: ExamSessionId) {
    let due = "UPDATE jobs SET run_at = now()
               WHERE session_id = $id AND state = 'ready' AND run_at > now();
               NOTIFY carrel_jobs";
    let hurried = sqlx::raw_sql(about(session, due)).execute(pool).await;
    hurried.unwrap();
}

fn about(session: ExamSessionId, sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.replace("$id", &format!("'{session}'")))
}
