//! What is in the database.

use sqlx::PgPool;

/// How many rows each table has that a write of the API may touch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sessions: i64,
    pub(crate) environments: i64,
    pub(crate) transitions: i64,
    pub(crate) extensions: i64,
    pub(crate) keys: i64,
    pub(crate) jobs: i64,
}

/// Counts them.
pub(crate) async fn count(pool: &PgPool) -> Counts {
    sqlx::query_as!(
        Counts,
        r#"
        SELECT (SELECT count(*) FROM exam_sessions) AS "sessions!",
               (SELECT count(*) FROM execution_environments) AS "environments!",
               (SELECT count(*) FROM session_transitions) AS "transitions!",
               (SELECT count(*) FROM session_extensions) AS "extensions!",
               (SELECT count(*) FROM idempotency_keys) AS "keys!",
               (SELECT count(*) FROM jobs) AS "jobs!"
        "#
    )
    .fetch_one(pool)
    .await
    .expect("the database answers")
}
