//! The query against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use session_lifecycle::SessionState;
use session_status::{EndedBy, StageState, revisions, status};
use sqlx::{PgConnection, PgPool};

async fn seed(conn: &mut PgConnection) -> ExamSessionId {
    let (id, environment) = (
        ExamSessionId::generate(),
        ExecutionEnvironmentId::generate(),
    );
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('linux', 3, 'Linux fundamentals', '{}', '', 'test')"
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by,
                                    duration, absolute_end)
         VALUES ($1, 'u-1', $2, 'linux', 3, now() + interval '60 s', interval '90 min',
                 now() + interval '4 h')",
        id.as_uuid(),
        environment.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
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

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_unknown_session_has_no_status(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(
        status(&mut conn, ExamSessionId::generate()).await.unwrap(),
        None
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_query_joins_session_exam_environment_and_extensions(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = seed(&mut conn).await;
    let created = status(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(
        (created.state, created.revision),
        (SessionState::Created, 2)
    );
    assert_eq!(created.exam.title, "Linux fundamentals");
    assert_eq!(created.clock.duration_ms, Some(90 * 60 * 1000));
    assert_eq!(created.stages[0].state, StageState::Active);
    assert!((1..=60_000).contains(&created.startup_remaining_ms.unwrap()));

    sqlx::query!(
        "UPDATE exam_sessions SET state = 'initializing', version = 2, initializing_at = now()
         WHERE id = $1",
        id.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query!(
        "UPDATE execution_environments
         SET state = 'creating', attempt = 1, version = 2, creating_at = now()
         WHERE session_id = $1",
        id.as_uuid()
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    for seconds in [600, 300] {
        sqlx::query!(
            "WITH moved AS (
                 UPDATE exam_sessions
                 SET version = version + 1,
                     ends_at = coalesce(ends_at, now()) + make_interval(secs => $2::integer)
                 WHERE id = $1
                 RETURNING id, version, ends_at
             )
             INSERT INTO session_extensions (session_id, version, by_seconds, previous_end, new_end,
                                             actor, reason, idempotency_key)
             SELECT id, version, $2, ends_at - make_interval(secs => $2::integer), ends_at, 'staff:dana',
                    'INC-7', version::text
             FROM moved",
            id.as_uuid(),
            seconds
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    let creating = status(&mut conn, id).await.unwrap().unwrap();
    assert_eq!((creating.revision, creating.attempt), (6, 1));
    assert_eq!(creating.stages[1].state, StageState::Active);
    assert_eq!(creating.extended_ms, 900_000);
    let last = creating.last_extension.unwrap();
    assert_eq!((last.by_ms, last.by), (300_000, EndedBy::Staff));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn revisions_agree_with_the_documents(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = seed(&mut conn).await;
    let known = revisions(&mut conn, &[id, ExamSessionId::generate()])
        .await
        .unwrap();
    assert_eq!(known.len(), 1);
    let told = status(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(
        (known[0].session_id, known[0].revision),
        (id, told.revision)
    );
}

/// A document is of one moment: a reader in the middle of a writer's transaction sees none of it.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_uncommitted_change_is_not_told(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = seed(&mut conn).await;
    let mut writer = pool.begin().await.unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET state = 'initializing', version = 2, initializing_at = now()
         WHERE id = $1",
        id.as_uuid()
    )
    .execute(&mut *writer)
    .await
    .unwrap();
    let told = status(&mut conn, id).await.unwrap().unwrap();
    assert_eq!((told.state, told.revision), (SessionState::Created, 2));
}
