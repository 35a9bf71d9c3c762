//! Rows that stories about environments begin with.

use execution_environment::{
    EnvironmentSpec, ExamBasis, ExamDefinition, RuntimeKind, apply_exam, begin_attempt,
    insert_environment, install_id,
};
use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId, UserId};
use sqlx::PgConnection;

/// Nothing was tried: the statements alone are looked at.
pub(crate) fn untried() -> ExamBasis {
    let reason = "the statements alone are looked at".to_owned();
    ExamBasis::Unproven { reason }
}

/// Writes a session with an absent environment and returns what its first attempt would be.
pub(crate) async fn session(conn: &mut PgConnection, exam: ExamDefinition) -> EnvironmentSpec {
    apply_exam(conn, &exam, &untried(), &Actor::System("test"))
        .await
        .expect("the fixture is written");
    let (session_id, environment_id) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    let user_id = format!("u-{session_id}");
    sqlx::query!(
        "INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         VALUES ($1, $2, $3, $4, 1, now() + interval '60 s', now() + interval '1 h')",
        session_id.as_uuid(),
        user_id,
        environment_id.as_uuid(),
        exam.name
    )
    .execute(&mut *conn)
    .await
    .expect("the fixture is written");
    insert_environment(conn, environment_id, session_id)
        .await
        .expect("the fixture is written");
    let install_id = install_id(conn).await.expect("the fixture is written");
    let user_id = UserId::parse(&user_id).expect("the fixture is written");
    EnvironmentSpec {
        install_id,
        session_id,
        user_id,
        environment_id,
        attempt: 1,
        exam,
        deadline: None,
        avoid: Vec::new(),
    }
}

/// Begins an attempt; says whether it did.
pub(crate) async fn begin(conn: &mut PgConnection, spec: &EnvironmentSpec, from: i32) -> bool {
    let name = spec.runtime_name();
    begin_attempt(
        conn,
        spec.session_id,
        from,
        RuntimeKind::Engine,
        &name,
        spec,
    )
    .await
    .expect("the fixture is written")
    .is_some()
}
