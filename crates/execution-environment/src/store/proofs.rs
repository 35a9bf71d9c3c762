//! What environments have proved.

use chrono::{DateTime, Utc};
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use crate::RuntimeKind;

/// Names the session whose environment proved its isolation, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The session.
    pub session_id: ExamSessionId,
    /// When its environment was found to be as declared.
    pub up_at: DateTime<Utc>,
}

/// Finds the newest environment of a runtime that was proved without a gap.
pub async fn find_newest_proof(
    conn: &mut PgConnection,
    runtime: RuntimeKind,
) -> Result<Option<Proof>, sqlx::Error> {
    sqlx::query_as!(
        Proof,
        r#"
        SELECT session_id AS "session_id: ExamSessionId", up_at AS "up_at!"
          FROM execution_environments
         WHERE runtime = $1 AND up_at IS NOT NULL
           -- What was let through by a waiver proves nothing.
           AND evidence -> 'gaps' = '[]'
         ORDER BY up_at DESC
         LIMIT 1
        "#,
        runtime.to_string()
    )
    .fetch_optional(conn)
    .await
}
