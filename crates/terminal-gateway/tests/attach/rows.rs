//! What stands in the database before anybody comes, and who they are.

use std::time::Duration;

use environment_access::{TokenRequest, issue_token};
use secrecy::ExposeSecret as _;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, Role, UserId};
use sqlx::PgPool;

pub(crate) const ORIGIN: &str = "http://127.0.0.1:8080";
/// Signs the logins of tests.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A login token that the gateway accepts for longer than any story lasts.
pub(crate) fn token(user: &str, role: Role) -> String {
    token_for(user, role, Duration::from_hours(1))
}

/// One that lasts so long.
pub(crate) fn token_for(user: &str, role: Role, lifetime: Duration) -> String {
    let request = TokenRequest {
        user_id: UserId::parse(user).unwrap(),
        role,
        lifetime,
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    let issued = issue_token(&request, &SECRET.into()).unwrap();
    issued.token.expose_secret().to_owned()
}

pub(crate) async fn insert_session(pool: &PgPool, user: &str) -> ExamSessionId {
    insert_session_of(pool, user, "off").await
}

/// The sample exam, with what it wants recorded.
fn definition(recording: &str) -> serde_json::Value {
    let sample = include_str!("../../../../deploy/exams/linux-fundamentals.json");
    let mut definition: serde_json::Value = serde_json::from_str(sample).unwrap();
    definition["recording"] = recording.into();
    definition
}

async fn insert_session_of(pool: &PgPool, user: &str, recording: &str) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    let exam = format!("demo-{}", recording.replace('_', "-"));
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ($1, 1, 'Demo', $2, '\\x00', 'test') ON CONFLICT DO NOTHING",
        exam,
        definition(recording)
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         VALUES ($1, $2, $3, $4, 1, now() + interval '1 minute', now() + interval '1 hour')",
        id.as_uuid(),
        user,
        environment.as_uuid(),
        exam,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO execution_environments
             (id, session_id, state, attempt, runtime, runtime_name, runtime_uid)
         VALUES ($1, $2, 'up', 1, 'engine', $3, 'uid-1')",
        environment.as_uuid(),
        id.as_uuid(),
        runtime_name(id),
    )
    .execute(pool)
    .await
    .unwrap();
    id
}

pub(crate) fn runtime_name(id: ExamSessionId) -> String {
    format!("carrel-{id}-1")
}

pub(crate) async fn insert_running(pool: &PgPool, user: &str) -> ExamSessionId {
    insert_running_of(pool, user, "off").await
}

/// One of an exam that wants its terminals recorded in that way.
pub(crate) async fn insert_running_of(pool: &PgPool, user: &str, recording: &str) -> ExamSessionId {
    let session_id = insert_session_of(pool, user, recording).await;
    for state in ["initializing", "ready", "running"] {
        set_state(pool, session_id, state).await;
    }
    session_id
}

pub(crate) async fn set_state(pool: &PgPool, id: ExamSessionId, state: &str) {
    sqlx::query!(
        "UPDATE exam_sessions SET state = $2, version = version + 1,
             ended_at = CASE WHEN $2 = 'terminated' THEN now() END,
             ending_kind = CASE WHEN $2 = 'terminated' THEN 'operator_ended' END
         WHERE id = $1",
        id.as_uuid(),
        state,
    )
    .execute(pool)
    .await
    .unwrap();
}

pub(crate) async fn set_end(pool: &PgPool, id: ExamSessionId, seconds: f64) {
    sqlx::query!(
        "UPDATE exam_sessions
         SET ends_at = now() + make_interval(secs => $2), version = version + 1
         WHERE id = $1",
        id.as_uuid(),
        seconds,
    )
    .execute(pool)
    .await
    .unwrap();
}
