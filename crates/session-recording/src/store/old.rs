//! Recordings that have been kept for long enough.

use std::time::Duration;

use sqlx::PgConnection;

/// Deletes recordings, whole, that were closed longer ago than they are kept, oldest first, at most
/// `limit`. That of a session which has not ended never goes, nor one closed within the last 30 days.
/// Returns how many.
///
/// # Errors
/// Errors of the database; then none went.
pub async fn delete_old_recordings(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query_scalar!(
        r#"SELECT recordings_delete_old(make_interval(secs => $1), $2) AS "deleted!""#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(deleted.unsigned_abs())
}

/// Counts the recordings that [`delete_old_recordings`] would delete without a limit.
///
/// # Errors
/// Errors of the database.
pub async fn count_old_recordings(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "recordings!"
           FROM session_recordings r JOIN exam_sessions s ON s.id = r.session_id
           WHERE greatest(r.closed_at, s.ended_at) < now() - greatest(make_interval(secs => $1), interval '30 days')
             AND r.closed_at IS NOT NULL AND s.ended_at IS NOT NULL"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
}
