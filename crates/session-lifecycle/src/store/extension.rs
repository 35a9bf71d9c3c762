//! Moving a deadline, audited.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use crate::error::{ExtendError, LoadError};
use crate::record::{ExtensionRecord, SessionRecord};
use crate::request::{Extended, Extension};
use crate::store::session::{SessionRow, lock_session, session_rows};

/// The longest reason that is kept, in characters: a sentence or two and a reference.
const REASON_MAX: usize = 500;

/// Moves a session's deadline once per idempotency key and records by whom and why, in the
/// caller's transaction.
///
/// Extension and expiry race on the row lock: whichever commits first wins. A repeated request
/// is answered with what it did, also after the session has ended.
///
/// # Errors
/// [`ExtendError`]; nothing was written and the caller's transaction stays usable, except after a
/// database error.
pub async fn extend(
    conn: &mut PgConnection,
    extension: &Extension,
) -> Result<Extended, ExtendError> {
    let by_seconds = check_extension(extension)?;
    let session_id = extension.session_id;
    let session = lock_session(conn, session_id)
        .await?
        .ok_or(ExtendError::NotFound { session_id })?;
    if let Some(known) = load_by_key(conn, extension).await? {
        let same = known.by_seconds == by_seconds && known.reason == extension.reason;
        return if same {
            Ok(Extended {
                session,
                extension: known,
                already: true,
            })
        } else {
            Err(ExtendError::KeyReused { session_id })
        };
    }
    let new_end = decide(&session, by_seconds)?;
    let Some(session) = move_end(conn, &session, new_end, by_seconds, extension).await? else {
        return Err(ExtendError::StillPast {
            session_id,
            requested: new_end,
        });
    };
    let known = load_by_key(conn, extension)
        .await?
        .ok_or_else(|| LoadError::Inconsistent {
            table: "session_extensions",
            column: "idempotency_key",
            session_id,
            value: extension.idempotency_key.clone(),
        })?;
    tracing::info!(session.id = %session_id, user.id = %session.user_id, by_seconds, "session extended");
    Ok(Extended {
        session,
        extension: known,
        already: false,
    })
}

/// Checks the request's fields, as [`extend`] does first, and returns the seconds. For whoever asks
/// for many extensions and wants to know before the first that they are well-formed.
///
/// # Errors
/// [`ExtendError::Invalid`], with the field.
pub fn check_extension(extension: &Extension) -> Result<i32, ExtendError> {
    let invalid = |field, problem| Err(ExtendError::Invalid { field, problem });
    let whole = extension.by == Duration::from_secs(extension.by.as_secs());
    let Some(by_seconds) = i32::try_from(extension.by.as_secs())
        .ok()
        .filter(|seconds| whole && *seconds > 0)
    else {
        return invalid(
            "by_seconds",
            "must be a whole number of seconds from 1 to 2147483647",
        );
    };
    if extension.reason.trim().is_empty() {
        return invalid("reason", "must say why");
    }
    if extension.reason.chars().count() > REASON_MAX {
        return invalid("reason", "must be at most 500 characters");
    }
    if extension.reason.contains('\0') {
        return invalid("reason", "must not contain NUL characters");
    }
    let key = &extension.idempotency_key;
    if key.is_empty() || key.chars().count() > 255 || key.contains('\0') {
        return invalid("idempotency_key", "must be 1 to 255 characters without NUL");
    }
    Ok(by_seconds)
}

/// Decides the new end from the locked row.
fn decide(session: &SessionRecord, by_seconds: i32) -> Result<DateTime<Utc>, ExtendError> {
    let session_id = session.id;
    if session.state.is_terminal() {
        return Err(ExtendError::Ended {
            session_id,
            state: session.state,
        });
    }
    let Some(ends_at) = session.ends_at else {
        return Err(ExtendError::NoDeadlineYet { session_id });
    };
    let cap = session.absolute_end;
    let requested = ends_at + TimeDelta::seconds(i64::from(by_seconds));
    if requested > cap {
        return Err(ExtendError::BeyondCap {
            session_id,
            requested,
            cap,
        });
    }
    Ok(requested)
}

async fn move_end(
    conn: &mut PgConnection,
    session: &SessionRecord,
    new_end: DateTime<Utc>,
    by_seconds: i32,
    extension: &Extension,
) -> Result<Option<SessionRecord>, ExtendError> {
    let row = session_rows!(
        r#"
        -- The version is the one that was locked; an end that has passed would only be swept.
        WITH moved AS (
            UPDATE exam_sessions AS t
            SET ends_at = $3, version = t.version + 1
            WHERE t.id = $1 AND t.version = $2 AND $3 > clock_timestamp()
            RETURNING t.*
        ), noted AS (
            INSERT INTO session_extensions (session_id, version, by_seconds, previous_end, new_end,
                                            actor, reason, idempotency_key)
            SELECT id, version, $4, $5, ends_at, $6, $7, $8 FROM moved
        )
        "#,
        "FROM moved AS s",
        session.id.as_uuid(),
        session.version,
        new_end,
        by_seconds,
        session.ends_at,
        extension.actor.to_string(),
        extension.reason,
        extension.idempotency_key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(SessionRow::into_record).transpose()?)
}

async fn load_by_key(
    conn: &mut PgConnection,
    extension: &Extension,
) -> Result<Option<ExtensionRecord>, LoadError> {
    let known = sqlx::query_as!(
        ExtensionRecord,
        "SELECT version, by_seconds, previous_end, new_end, actor, reason, idempotency_key, at
         FROM session_extensions WHERE session_id = $1 AND idempotency_key = $2",
        extension.session_id.as_uuid(),
        extension.idempotency_key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(known)
}

/// Loads every extension of a session, oldest first.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn extensions(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<ExtensionRecord>, LoadError> {
    let records = sqlx::query_as!(
        ExtensionRecord,
        "SELECT version, by_seconds, previous_end, new_end, actor, reason, idempotency_key, at
         FROM session_extensions WHERE session_id = $1 ORDER BY version",
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(records)
}
