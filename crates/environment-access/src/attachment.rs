//! The attaches of a terminal: when each began, opened, was last seen and was over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::wire::CloseCode;

/// One attach: a row of `terminal_attachments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentRecord {
    /// Its number among the session's attaches, from 1.
    pub epoch: i64,
    /// When it was admitted.
    pub attached_at: DateTime<Utc>,
    /// When the shell answered; `None` while, or if, it did not.
    pub opened_at: Option<DateTime<Utc>>,
    /// When its process last said that it lives.
    pub seen_at: DateTime<Utc>,
    /// When it was over; `None` while it lasts.
    pub detached_at: Option<DateTime<Utc>>,
    /// The number of the close code; `None` also where its process fell silent.
    pub close_code: Option<i32>,
}

impl AttachmentRecord {
    /// Returns the code it ended with, where that is known.
    pub fn closed_with(&self) -> Option<CloseCode> {
        let number = u16::try_from(self.close_code?).ok()?;
        CloseCode::from_number(number)
    }
}

/// Says that the shell of an attach has answered, so long `ago`.
///
/// # Errors
/// Errors of the database.
pub async fn open_attachment(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    epoch: i64,
    ago: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE terminal_attachments
         SET opened_at = greatest(attached_at, clock_timestamp() - make_interval(secs => $3)),
             seen_at = greatest(seen_at, attached_at, clock_timestamp() - make_interval(secs => $3))
         WHERE session_id = $1 AND epoch = $2 AND opened_at IS NULL",
        session_id.as_uuid(),
        epoch,
        ago.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Says that these attaches of this process are alive, also where they were presumed to be over.
/// Returns how many are.
///
/// # Errors
/// Errors of the database.
pub async fn beat_attachments(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    attached: &[(ExamSessionId, i64)],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<Uuid> = attached.iter().map(|(id, _)| id.as_uuid()).collect();
    let epochs: Vec<i64> = attached.iter().map(|(_, epoch)| *epoch).collect();
    sqlx::query!(
        r#"
        UPDATE terminal_attachments AS a
        SET seen_at = clock_timestamp(), detached_at = NULL
        FROM unnest($2::uuid[], $3::bigint[]) AS mine (session_id, epoch)
        WHERE a.session_id = mine.session_id AND a.epoch = mine.epoch AND a.process_id = $1
          AND a.close_code IS NULL
        "#,
        process.as_uuid(),
        &ids,
        &epochs,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
}

/// Records how an attach ended, so long `ago`, once. Returns false if that was known.
///
/// # Errors
/// Errors of the database.
pub async fn close_attachment(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    epoch: i64,
    code: CloseCode,
    ago: Duration,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        r#"
        UPDATE terminal_attachments
        SET seen_at = greatest(attached_at, over), detached_at = greatest(attached_at, over), close_code = $3
        FROM (SELECT clock_timestamp() - make_interval(secs => $4) AS over) AS at
        WHERE session_id = $1 AND epoch = $2 AND close_code IS NULL
        "#,
        session_id.as_uuid(),
        epoch,
        i32::from(code.number()),
        ago.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Presumes those attaches to be over whose process has been silent for longer than `silent`: since
/// it was last heard of. At most `limit` at a time, the oldest first; returns how many.
///
/// # Errors
/// Errors of the database.
pub async fn close_silent_attachments(
    conn: &mut PgConnection,
    silent: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        r#"
        UPDATE terminal_attachments AS a
        SET detached_at = a.seen_at
        FROM (SELECT session_id, epoch FROM terminal_attachments
              WHERE detached_at IS NULL
                AND seen_at < clock_timestamp() - make_interval(secs => $1)
              ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS lost
        WHERE a.session_id = lost.session_id AND a.epoch = lost.epoch
        "#,
        silent.as_secs_f64(),
        limit,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
}

/// Lists the attaches of a session, oldest first. The session need not exist.
///
/// # Errors
/// Errors of the database.
pub async fn attachments(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<AttachmentRecord>, sqlx::Error> {
    sqlx::query_as!(
        AttachmentRecord,
        "SELECT epoch, attached_at, opened_at, seen_at, detached_at, close_code
         FROM terminal_attachments WHERE session_id = $1 ORDER BY epoch",
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await
}
