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

/// One line of the access log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessLine {
    /// When it was written.
    pub at: DateTime<Utc>,
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

/// Lists the newest `limit` lines about a session, newest first. The session need not exist.
///
/// # Errors
/// Errors of the database.
pub async fn latest_access(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    limit: i64,
) -> Result<Vec<AccessLine>, sqlx::Error> {
    // Lines are numbered as they are written, and the index has the numbers of each session.
    sqlx::query_as!(
        AccessLine,
        "SELECT at, user_id, role, action, allowed, code, detail, epoch FROM access_log
         WHERE session_id = $1 ORDER BY id DESC LIMIT $2",
        session_id.as_uuid(),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// When the session's first line that is still there was written.
///
/// # Errors
/// Errors of the database.
pub async fn first_access_at(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // In the order of the session's index, since what was written first is numbered first.
    sqlx::query_scalar!(
        "SELECT at FROM access_log WHERE session_id = $1 ORDER BY id LIMIT 1",
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}
