//! The transitions a session made.

use session_identity::{ExamSessionId, JobId};
use sqlx::PgConnection;

use crate::error::LoadError;
use crate::record::TransitionRecord;
use crate::state::SessionState;

/// Loads every transition of a session, oldest first; empty if there is no such session.
///
/// # Errors
/// [`LoadError`] if the database fails or a row contradicts the schema.
pub async fn history(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<TransitionRecord>, LoadError> {
    let rows = sqlx::query!(
        r#"SELECT version, from_state, to_state, cause, actor, job_id AS "job_id: JobId", trace, at
           FROM session_transitions WHERE session_id = $1 ORDER BY version"#,
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let parse = |column, word: &str| -> Result<SessionState, LoadError> {
                word.parse().map_err(|_| LoadError::Inconsistent {
                    table: "session_transitions",
                    column,
                    session_id,
                    value: word.to_owned(),
                })
            };
            Ok(TransitionRecord {
                version: row.version,
                from: row
                    .from_state
                    .as_deref()
                    .map(|word| parse("from_state", word))
                    .transpose()?,
                to: parse("to_state", &row.to_state)?,
                cause: row.cause,
                actor: row.actor,
                job_id: row.job_id,
                trace: row.trace,
                at: row.at,
            })
        })
        .collect()
}
