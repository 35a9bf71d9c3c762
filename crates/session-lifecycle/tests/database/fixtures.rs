//! Sessions in a wanted state, made the way the product makes them.

use std::time::Duration;

use serde_json::json;
use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId, UserId};
use session_lifecycle::{
    Advance, Ending, EndingKind, ExamClock, Expected, FailureRecord, Inserted, NewSession,
    Provenance, SessionRecord, SessionState, advance, insert_session,
};
use sqlx::{PgConnection, PgPool};

/// The one exam of these tests.
pub(crate) const EXAM: &str = "linux-fundamentals";

/// Inserts the exam that every session here names.
pub(crate) async fn apply_exam(conn: &mut PgConnection) {
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ($1, 1, 'Linux fundamentals', '{}', '', 'test')",
        EXAM
    )
    .execute(conn)
    .await
    .expect("an empty database takes the exam");
}

/// Returns a connection to a database that holds the exam.
pub(crate) async fn with_exam(pool: &PgPool) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    let mut conn = pool.acquire().await.expect("the database answers");
    apply_exam(&mut conn).await;
    conn
}

pub(crate) fn by_test() -> Provenance {
    Provenance {
        actor: Actor::System("test"),
        cause: "test".into(),
        job_id: None,
        trace: None,
    }
}

/// Describes a session of two hours from the first attach, capped at four.
pub(crate) fn new_session(user: &str) -> NewSession {
    NewSession {
        id: ExamSessionId::generate(),
        environment_id: ExecutionEnvironmentId::generate(),
        user_id: UserId::parse(user).expect("a test names a valid user"),
        exam_name: EXAM.to_owned(),
        exam_version: 1,
        startup_budget: Duration::from_mins(1),
        clock: ExamClock::FromFirstAttach {
            duration: Duration::from_hours(2),
        },
        absolute_cap: Duration::from_hours(4),
    }
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewSession) -> SessionRecord {
    match insert_session(conn, new, &by_test())
        .await
        .expect("the session is insertable")
    {
        Inserted::New(session) => session,
        Inserted::LiveExists(session) => panic!("{} is in the way", session.id),
    }
}

pub(crate) fn terminate() -> Advance {
    Advance::Terminate(Ending {
        kind: EndingKind::OperatorEnded,
        note: Some("over".to_owned()),
    })
}

pub(crate) fn fail() -> Advance {
    Advance::Fail(FailureRecord {
        class: "infra".to_owned(),
        code: "infra.unclassified".to_owned(),
        reason: "a test said so".to_owned(),
        evidence: json!({ "seen": true }),
    })
}

/// The transition that leads to `to`; nothing leads to created.
pub(crate) fn towards(to: SessionState) -> Option<Advance> {
    match to {
        SessionState::Created => None,
        SessionState::Initializing => Some(Advance::ToInitializing),
        SessionState::Ready => Some(Advance::ToReady),
        SessionState::Running => Some(Advance::ToRunning),
        SessionState::Terminated => Some(terminate()),
        SessionState::Failed => Some(fail()),
    }
}

/// Makes a session of `user` and brings it to `state`.
pub(crate) async fn session_in(
    conn: &mut PgConnection,
    user: &str,
    state: SessionState,
) -> SessionRecord {
    let session = insert(conn, &new_session(user)).await;
    bring(conn, session, state).await
}

/// Advances a created session to `state`.
pub(crate) async fn bring(
    conn: &mut PgConnection,
    mut session: SessionRecord,
    state: SessionState,
) -> SessionRecord {
    let path: &[SessionState] = match state {
        SessionState::Created => &[],
        SessionState::Initializing => &[SessionState::Initializing],
        SessionState::Ready => &[SessionState::Initializing, SessionState::Ready],
        SessionState::Running => &[
            SessionState::Initializing,
            SessionState::Ready,
            SessionState::Running,
        ],
        SessionState::Terminated => &[SessionState::Terminated],
        SessionState::Failed => &[SessionState::Failed],
    };
    for step in path {
        let to = towards(*step).expect("no path leads to created");
        session = advance(conn, session.id, Expected::AnyVersion, to, &by_test())
            .await
            .expect("the table allows each step of the path");
    }
    session
}

/// Moves every deadline of a session by raw SQL, as if time had passed.
pub(crate) async fn move_deadlines(conn: &mut PgConnection, id: ExamSessionId, seconds: f64) {
    sqlx::query!(
        "UPDATE exam_sessions
         SET version = version + 1, ready_by = ready_by + make_interval(secs => $2),
             ends_at = ends_at + make_interval(secs => $2),
             absolute_end = absolute_end + make_interval(secs => $2)
         WHERE id = $1",
        id.as_uuid(),
        seconds
    )
    .execute(conn)
    .await
    .expect("a live session's deadlines can move");
}
