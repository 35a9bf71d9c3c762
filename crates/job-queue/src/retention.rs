//! Finished rows leave the hot table.

use std::time::Duration;

use sqlx::PgConnection;

use crate::job::millis;

/// Deletes up to `limit` jobs that ended longer ago than `older_than`, with their attempts.
/// Returns how many jobs; fewer than `limit` means none is left.
///
/// # Errors
/// Whatever the database says.
pub async fn delete_finished(
    connection: &mut PgConnection,
    older_than: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "WITH old AS MATERIALIZED (
            SELECT id FROM jobs
            WHERE state IN ('done', 'dead', 'cancelled')
              AND finished_at < now() - $1::bigint * interval '1 millisecond'
            ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ),
         attempts AS (
            DELETE FROM job_attempts WHERE job_id = ANY(ARRAY(SELECT id FROM old))
         )
         DELETE FROM jobs WHERE id = ANY(ARRAY(SELECT id FROM old))",
        millis(older_than),
        limit,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}
