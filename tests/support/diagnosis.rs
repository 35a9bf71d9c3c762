//! What a failed story leaves for a person: rows and the ends of logs.

use std::sync::Arc;

use crate::database::TestDatabase;
use crate::wait::on_own_thread;

/// Prints the state of every session, environment and unfinished job, and the logs.
#[expect(clippy::print_stderr, reason = "libtest shows it beside the failure")]
pub(crate) fn print(database: &Arc<TestDatabase>, logs: &[String]) {
    let database = Arc::clone(database);
    on_own_thread(move || async move {
        match rows(&database).await {
            Ok(rows) => eprintln!("--- rows ---\n{}", rows.join("\n")),
            Err(error) => eprintln!("--- rows cannot be read: {error} ---"),
        }
    });
    eprintln!("{}", logs.join("\n"));
}

async fn rows(database: &TestDatabase) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT line AS "line!" FROM (
            SELECT 1 AS part, s.id, format('session %s %s: %s v%s; %s %s; environment %s, attempt %s; %s',
                s.id, s.user_id, s.state, s.version, s.failure_code, s.failure_reason,
                e.state, e.attempt, e.last_signal) AS line
            FROM exam_sessions s LEFT JOIN execution_environments e ON e.session_id = s.id
            UNION ALL
            SELECT 2, j.id, format('job %s %s of %s: %s, attempt %s, crashes %s, run_at in %s; %s; %s',
                j.id, j.kind, j.session_id, j.state, j.attempt, j.crash_count, j.run_at - now(),
                j.outcome_class, coalesce(j.outcome_reason, a.error))
            FROM jobs j
            LEFT JOIN LATERAL (
                SELECT error FROM job_attempts WHERE job_id = j.id ORDER BY run_token DESC LIMIT 1
            ) a ON true
            WHERE j.state <> 'done'
        ) AS lines
        ORDER BY part, id
        LIMIT 120
        "#
    )
    .fetch_all(&mut database.connect_apart().await)
    .await
}
