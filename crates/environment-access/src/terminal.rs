//! The one terminal of a session: who holds it, by epoch.

use std::time::Duration;

use session_identity::{ExamSessionId, LoginId, TerminalProcessId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::facts::{Standing, millis};
use crate::wire::CloseCode;

/// What an attached terminal must know, again and again, to stay attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalAuthority {
    /// The session.
    pub session_id: ExamSessionId,
    /// The newest epoch; an older attach is superseded.
    pub epoch: i64,
    /// Where the session stands.
    pub standing: Standing,
    /// Its state, as stored.
    pub state: String,
    /// Time to the end that is shown; `None` while the session's clock has not started.
    pub remaining: Option<Duration>,
    /// Time to the cut-off, at the latest the absolute end: always known.
    pub cut_off_in: Duration,
}

/// Takes the next epoch of a session's terminal: from here on, older attaches may not write.
///
/// Call it in the transaction that locks the session's row and redeems the ticket, so that an
/// attach and an ending never cross.
///
/// # Errors
/// Errors of the database; a foreign-key violation if there is no such session.
pub async fn take_epoch(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    process: TerminalProcessId,
    login: &LoginId,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO terminals AS t
            (session_id, epoch, process_id, login_id, attached_at, seen_at)
        VALUES ($1, 1, $2, $3, clock_timestamp(), clock_timestamp())
        ON CONFLICT (session_id) DO UPDATE
        SET epoch = t.epoch + 1, process_id = excluded.process_id,
            login_id = excluded.login_id, attached_at = excluded.attached_at,
            seen_at = excluded.seen_at, detached_at = NULL, close_code = NULL
        RETURNING epoch
        "#,
        session_id.as_uuid(),
        process.as_uuid(),
        login.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Reads the authority of many terminals in one statement. Sessions that do not exist or were
/// never attached to are left out.
///
/// # Errors
/// Errors of the database.
pub async fn current_epochs(
    conn: &mut PgConnection,
    sessions: &[ExamSessionId],
) -> Result<Vec<TerminalAuthority>, sqlx::Error> {
    let ids: Vec<Uuid> = sessions.iter().map(ExamSessionId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"
        SELECT s.id AS "session_id: ExamSessionId", t.epoch, s.state,
               (extract(epoch FROM least(s.ends_at, s.absolute_end) - clock_timestamp()) * 1000)
                   ::bigint AS "cut_off_ms!",
               s.ends_at IS NOT NULL AS "clock_started!"
        FROM terminals t
        JOIN exam_sessions s ON s.id = t.session_id
        WHERE t.session_id = ANY($1)
        "#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let authority = rows.into_iter().map(|row| TerminalAuthority {
        session_id: row.session_id,
        epoch: row.epoch,
        standing: Standing::of(&row.state, row.cut_off_ms <= 0),
        state: row.state,
        remaining: row.clock_started.then(|| millis(row.cut_off_ms)),
        cut_off_in: millis(row.cut_off_ms),
    });
    Ok(authority.collect())
}

/// Says that these attaches of this process are alive. An attach that was superseded is left
/// alone. Returns how many still hold their terminal.
///
/// # Errors
/// Errors of the database.
pub async fn beat_terminals(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    attached: &[(ExamSessionId, i64)],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<Uuid> = attached.iter().map(|(id, _)| id.as_uuid()).collect();
    let epochs: Vec<i64> = attached.iter().map(|(_, epoch)| *epoch).collect();
    sqlx::query!(
        r#"
        UPDATE terminals AS t
        SET seen_at = clock_timestamp()
        FROM unnest($2::uuid[], $3::bigint[]) AS mine (session_id, epoch)
        WHERE t.session_id = mine.session_id AND t.epoch = mine.epoch AND t.process_id = $1
        "#,
        process.as_uuid(),
        &ids,
        &epochs,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
}

/// Records that an attach is over. Returns false if it had been superseded, and changes nothing.
///
/// # Errors
/// Errors of the database.
pub async fn close_terminal(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    epoch: i64,
    code: CloseCode,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        r#"
        UPDATE terminals
        SET detached_at = clock_timestamp(), close_code = $3
        WHERE session_id = $1 AND epoch = $2 AND detached_at IS NULL
        "#,
        session_id.as_uuid(),
        epoch,
        i32::from(code.number()),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
