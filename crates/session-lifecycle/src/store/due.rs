//! What the sweeps look for.

use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::error::FindError;

/// Finds live sessions whose time is over, most overdue first, and locks them until the caller's
/// transaction ends. Rows another sweep holds are skipped: that sweep has them.
///
/// # Errors
/// [`FindError`] if the database fails.
pub async fn find_due(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<ExamSessionId>, FindError> {
    let ids = sqlx::query_scalar!(
        r#"
        -- Each half of the OR has its own partial index (exam_sessions_due, exam_sessions_cap):
        -- a sweep that finds nothing touches two index pages, whatever the table's size.
        SELECT id AS "id: ExamSessionId" FROM exam_sessions
        WHERE state NOT IN ('terminated', 'failed')
          AND (ends_at <= now() OR absolute_end <= now())
        ORDER BY LEAST(ends_at, absolute_end)
        LIMIT $1
        FOR UPDATE SKIP LOCKED
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// Finds sessions that are not ready although their startup budget is spent, most overdue first,
/// and locks them until the caller's transaction ends, skipping rows another sweep holds.
///
/// # Errors
/// [`FindError`] if the database fails.
pub async fn find_past_startup(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<ExamSessionId>, FindError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: ExamSessionId" FROM exam_sessions
        WHERE state IN ('created', 'initializing') AND ready_by <= now()
        ORDER BY ready_by
        LIMIT $1
        FOR UPDATE SKIP LOCKED
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}
