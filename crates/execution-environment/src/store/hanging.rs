//! What a row says of a destruction that takes too long.

use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::record::CleanupBlock;
use crate::StoreError;

/// Records what a destruction waits for, or that it is nothing that is known; says whether that is
/// news. Since when it has been so stays as it was first seen.
pub async fn record_cleanup_blocked(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    blocked: Option<CleanupBlock>,
) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        r#"
        UPDATE execution_environments
           SET cleanup_blocked = $2, cleanup_blocked_at = CASE WHEN $2::text IS NOT NULL THEN now() END, version = version + 1
         WHERE session_id = $1 AND state = 'destroying' AND cleanup_blocked IS DISTINCT FROM $2
        "#,
        session_id as ExamSessionId,
        blocked.map(CleanupBlock::as_str)
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Records that a hanging destruction was helped along by force; says whether this was the first time.
pub async fn record_forced(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        r#"
        UPDATE execution_environments SET forced_at = now(), version = version + 1
         WHERE session_id = $1 AND state = 'destroying' AND forced_at IS NULL
        "#,
        session_id as ExamSessionId
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() > 0)
}
