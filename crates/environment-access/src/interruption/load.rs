//! The ledger of one session, from the database.

use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::{AccessEvidence, Interruption, find_interruptions};
use crate::{Span, attachments, downtimes, outages, refusals};

/// Lists the interruptions of a session since its clock runs for an attach, oldest first; none before.
/// The session need not exist.
///
/// # Errors
/// Errors of the database.
pub async fn load_interruptions(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<Interruption>, sqlx::Error> {
    let clock = sqlx::query!(
        r#"
        SELECT running_at, ended_at IS NOT NULL AS "ended!",
               coalesce(ended_at, clock_timestamp()) AS "until!"
        FROM exam_sessions
        WHERE id = $1
        "#,
        session_id.as_uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some((from, row)) = clock.and_then(|row| Some((row.running_at?, row))) else {
        return Ok(Vec::new());
    };
    let clock = Span {
        from,
        until: row.until,
    };
    let evidence = AccessEvidence {
        attachments: attachments(conn, session_id).await?,
        refusals: refusals(conn, session_id).await?,
        outages: outages(conn, session_id).await?,
        downtimes: downtimes(conn, clock).await?,
        clock,
        ended: row.ended,
    };
    Ok(find_interruptions(&evidence))
}
