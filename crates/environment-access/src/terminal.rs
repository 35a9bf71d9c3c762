//! The one terminal of a session: who holds it, by epoch.

use std::time::Duration;

use session_identity::{ExamSessionId, LoginId, TerminalProcessId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::facts::{Standing, millis};

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
    /// For how long it has ended, by the database's clock; `None` while it has not.
    pub ended_for: Option<Duration>,
    /// Time to the cut-off, at the latest the absolute end: always known.
    pub cut_off_in: Duration,
}

/// Takes the next epoch of a session's terminal for an attach that begins now: from here on, older
/// attaches may not write. `page` is the page that attaches, if it says which it is.
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
    page: Option<Uuid>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        WITH next AS (
            INSERT INTO terminals AS t (session_id, epoch)
            VALUES ($1, 1)
            ON CONFLICT (session_id) DO UPDATE SET epoch = t.epoch + 1
            RETURNING epoch
        )
        INSERT INTO terminal_attachments (session_id, epoch, process_id, login_id, page_id)
        SELECT $1, epoch, $2, $3, $4 FROM next
        RETURNING epoch
        "#,
        session_id.as_uuid(),
        process.as_uuid(),
        login.as_str(),
        page,
    )
    .fetch_one(conn)
    .await
}

/// Whether any page but this one has attached to a session's terminal since the attach `held`. Attaches
/// of this page that it never learned of, because a network was lost before WELCOME, do not count; those
/// of pages that do not say which they are do.
///
/// Call it in the transaction that locks the session's row, as [`take_epoch`].
///
/// # Errors
/// Errors of the database.
pub async fn has_other_page_since(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    held: i64,
    page: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM terminal_attachments
            WHERE session_id = $1 AND epoch > $2 AND (page_id = $3) IS NOT TRUE
        ) AS "attached!"
        "#,
        session_id.as_uuid(),
        held,
        page,
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
               s.ends_at IS NOT NULL AS "clock_started!",
               (extract(epoch FROM clock_timestamp() - s.ended_at) * 1000)::bigint AS ended_ms
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
        ended_for: row.ended_ms.map(millis),
        cut_off_in: millis(row.cut_off_ms),
    });
    Ok(authority.collect())
}
