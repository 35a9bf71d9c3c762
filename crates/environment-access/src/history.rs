//! Who came and who was turned away, as people read it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

/// Equal lines of the access log, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessRun {
    /// The first line's number: it stays while the run grows.
    pub first_id: i64,
    /// When the first was written.
    pub first_at: DateTime<Utc>,
    /// When the last was written.
    pub last_at: DateTime<Utc>,
    /// How many they are; an attach is always alone, because its epoch is its own.
    pub times: i64,
    /// Who.
    pub user_id: String,
    /// In which role.
    pub role: String,
    /// What they wanted, as [`crate::Action::as_str`] writes it.
    pub action: String,
    /// Whether they were let.
    pub allowed: bool,
    /// The code of a denial.
    pub code: Option<String>,
    /// The true reason of a denial.
    pub detail: Option<String>,
    /// The epoch taken by an attach.
    pub epoch: Option<i64>,
}

/// One row of `terminals`: the newest attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerminalRecord {
    /// How often the session was attached to; the newest attach has this epoch.
    pub epoch: i64,
    /// When the newest attach was admitted.
    pub attached_at: Option<DateTime<Utc>>,
    /// When its process last said that it lives.
    pub seen_at: Option<DateTime<Utc>>,
    /// When it was over; `None` while it lasts.
    pub detached_at: Option<DateTime<Utc>>,
    /// The number of the close code it ended with.
    pub close_code: Option<i32>,
}

/// Lists a session's attaches and denials, oldest first: the newest `limit` runs of equal ones.
/// The session need not exist.
///
/// # Errors
/// Errors of the database.
pub async fn access_runs(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    limit: i64,
) -> Result<Vec<AccessRun>, sqlx::Error> {
    let mut runs = sqlx::query_as!(
        AccessRun,
        r#"
        -- A line's number among all, less its number among its equals, is the same for neighbours.
        WITH numbered AS (
            SELECT *, row_number() OVER (ORDER BY id)
                    - row_number() OVER (PARTITION BY user_id, role, action, allowed, code, detail, epoch
                                         ORDER BY id) AS run
            FROM access_log
            WHERE session_id = $1 AND (action = 'attach' OR NOT allowed)
        )
        SELECT min(id) AS "first_id!", min(at) AS "first_at!", max(at) AS "last_at!",
               count(*) AS "times!", user_id, role, action, allowed, code, detail, epoch
        FROM numbered
        GROUP BY run, user_id, role, action, allowed, code, detail, epoch
        ORDER BY min(id) DESC LIMIT $2
        "#,
        session_id.as_uuid(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    runs.reverse();
    Ok(runs)
}

/// Loads what is known of a session's terminal; `None` if nobody ever attached.
///
/// # Errors
/// Errors of the database.
pub async fn load_terminal(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<TerminalRecord>, sqlx::Error> {
    sqlx::query_as!(
        TerminalRecord,
        "SELECT epoch, attached_at, seen_at, detached_at, close_code FROM terminals
         WHERE session_id = $1",
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}
