//! What an installation calls its queues, kinds, workers and schedules, for whoever types them.
//!
//! Each is read by an index or from a small table, however many jobs there are, and at most
//! [`NAMES_MOST`] of it.

use sqlx::PgConnection;

/// More than anybody chooses from.
pub const NAMES_MOST: i64 = 200;

/// Names the queues that jobs wait or lie dead in, that somebody has set, and that workers serve.
///
/// # Errors
/// Whatever the database says.
pub async fn queue_names(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    // From one queue to the next by the index, whatever waits in between.
    sqlx::query_scalar!(
        r#"WITH RECURSIVE waiting AS (
               SELECT min(queue) AS queue FROM jobs WHERE state = 'ready'
               UNION ALL
               SELECT (SELECT min(j.queue) FROM jobs j
                       WHERE j.state = 'ready' AND j.queue > w.queue)
               FROM waiting w WHERE w.queue IS NOT NULL
           ),
           dead AS (
               SELECT min(queue) AS queue FROM jobs WHERE state = 'dead'
               UNION ALL
               SELECT (SELECT min(j.queue) FROM jobs j
                       WHERE j.state = 'dead' AND j.queue > d.queue)
               FROM dead d WHERE d.queue IS NOT NULL
           )
           SELECT queue AS "name!" FROM (
               SELECT queue FROM waiting
               UNION SELECT queue FROM dead
               UNION SELECT name FROM queues
               UNION SELECT unnest(queues) FROM workers
                     WHERE seen_at > now() - interval '1 day'
           ) found
           WHERE queue IS NOT NULL ORDER BY queue LIMIT $1"#,
        NAMES_MOST,
    )
    .fetch_all(connection)
    .await
}

/// Names the kinds that workers of the last day read.
///
/// # Errors
/// Whatever the database says.
pub async fn kind_names(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT unnest(kinds) AS "name!" FROM workers
           WHERE seen_at > now() - interval '1 day' ORDER BY 1 LIMIT $1"#,
        NAMES_MOST,
    )
    .fetch_all(connection)
    .await
}

/// Names the workers of the last day, whether or not they live.
///
/// # Errors
/// Whatever the database says.
pub async fn worker_names(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT DISTINCT name FROM workers
         WHERE seen_at > now() - interval '1 day' ORDER BY name LIMIT $1",
        NAMES_MOST,
    )
    .fetch_all(connection)
    .await
}

/// Names the schedules.
///
/// # Errors
/// Whatever the database says.
pub async fn schedule_names(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT name FROM schedules ORDER BY name LIMIT $1",
        NAMES_MOST
    )
    .fetch_all(connection)
    .await
}
