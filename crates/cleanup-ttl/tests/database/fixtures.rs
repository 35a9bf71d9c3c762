//! Sessions as they come about.

use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId};
use session_lifecycle::{Provenance, SessionState};
use sqlx::PgConnection;

pub(crate) fn by_sweep() -> Provenance {
    Provenance {
        actor: Actor::System("sweep"),
        cause: "sweep:expired".into(),
        job_id: None,
        trace: None,
    }
}

pub(crate) async fn apply_exam(conn: &mut PgConnection) {
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('linux', 1, 'Linux', '{}', '', 'test')"
    )
    .execute(conn)
    .await
    .unwrap();
}

/// Writes a session that has been brought to `state` and whose end is `ends_in` seconds away.
pub(crate) async fn seed(
    conn: &mut PgConnection,
    user: &str,
    state: SessionState,
    ends_in: f64,
) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    sqlx::query!(
        "INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by,
                                    ends_at, absolute_end)
         VALUES ($1, $2, $3, 'linux', 1, now() + interval '60 s', now() + make_interval(secs => $4),
                 now() + interval '4 h')",
        id.as_uuid(),
        user,
        environment.as_uuid(),
        ends_in
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    for step in &SessionState::LIVE[1..] {
        if *step > state {
            break;
        }
        sqlx::query!(
            "UPDATE exam_sessions SET state = $2, version = version + 1 WHERE id = $1",
            id.as_uuid(),
            step.as_str()
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::query!(
        "INSERT INTO execution_environments (id, session_id) VALUES ($1, $2)",
        environment.as_uuid(),
        id.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    id
}
