//! What an environment must know of its session.

use chrono::{DateTime, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};
use sqlx::PgConnection;

use crate::StoreError;

/// Holds what of a session decides about its environment.
pub(crate) struct SessionFacts {
    pub(crate) session_id: ExamSessionId,
    pub(crate) environment_id: ExecutionEnvironmentId,
    pub(crate) user_id: UserId,
    pub(crate) exam_name: String,
    pub(crate) exam_version: i32,
    pub(crate) absolute_end: DateTime<Utc>,
    pub(crate) ended: bool,
}

/// Reads, never writes, another crate's table: the command line stands alone, and owners do not
/// import each other.
pub(crate) async fn load_session_facts(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<SessionFacts>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT environment_id AS "environment_id: ExecutionEnvironmentId", user_id, exam_name, exam_version,
               absolute_end, ended_at IS NOT NULL AS "ended!"
          FROM exam_sessions
         WHERE id = $1
        "#,
        session_id as ExamSessionId
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user_id = UserId::parse(&row.user_id).map_err(|error| StoreError::Inconsistent {
        table: "exam_sessions",
        column: "user_id",
        id: session_id.to_string(),
        source: error.into(),
    })?;
    Ok(Some(SessionFacts {
        session_id,
        environment_id: row.environment_id,
        user_id,
        exam_name: row.exam_name,
        exam_version: row.exam_version,
        absolute_end: row.absolute_end,
        ended: row.ended,
    }))
}
