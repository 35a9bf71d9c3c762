//! Which terminal process reads a recorded shell, by a lease: what nobody reads is not on record.

use std::time::Duration;

use session_identity::{ExamSessionId, TerminalProcessId};
use sqlx::PgConnection;
use uuid::Uuid;

/// How long a process has a shell without saying so again. With the time until another one looks and
/// has it, less than the 10 s for which a keeper holds back what a lost stream has not consumed.
pub const READING_LEASE: Duration = Duration::from_secs(6);

/// A recorded shell, as its reader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadShell {
    /// Whose it is.
    pub session_id: ExamSessionId,
    /// The attach at which it is read: a newer one is another reader's.
    pub epoch: i64,
    /// Which shell of its environment; 0 while none has answered.
    pub shell_epoch: u32,
    /// Columns it was last told.
    pub columns: u16,
    /// Rows it was last told.
    pub rows: u16,
    /// Whether its candidate is attached: then it is this reader's whatever another has claimed.
    pub is_attached: bool,
}

/// What a process has taken of what nobody read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedShells {
    /// They are this process's to read.
    pub shells: Vec<ReadShell>,
    /// Whether as many rows were looked at as may be at once, so that others may wait.
    pub may_be_more: bool,
}

/// What is to become of a shell that a process reads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It has ended, or nothing more of it can be kept.
    Over,
    /// Another process may have it after so long.
    Unread(Duration),
}

/// Says, in the transaction that admits an attach, that its process reads what it `records`: from the
/// first moment on, somebody has to.
///
/// # Errors
/// Errors of the database.
pub async fn begin_reading(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    (session_id, epoch): (ExamSessionId, i64),
    records: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        UPDATE terminals
        SET read_epoch = CASE WHEN $4 THEN epoch END,
            reader_id = CASE WHEN $4 THEN $1::uuid END,
            reader_until = CASE WHEN $4 THEN clock_timestamp() + make_interval(secs => $5) END
        WHERE session_id = $2 AND epoch = $3
        "#,
        process.as_uuid(),
        session_id.as_uuid(),
        epoch,
        records,
        READING_LEASE.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Says that a process still reads these shells, in one statement, and returns those that have become
/// another's. One whose candidate is attached never has; neither has one of an ended session, which nobody
/// claims, nor one with a newer attach, whose leg is what ends its reader's.
///
/// # Errors
/// Errors of the database.
pub async fn keep_reading(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    lease: Duration,
    shells: &[ReadShell],
) -> Result<Vec<ExamSessionId>, sqlx::Error> {
    let arrays = Arrays::of(shells);
    // Rows that an attach has locked have just got a lease, or get one in a moment.
    sqlx::query_scalar!(
        r#"
        WITH mine AS (
            SELECT *
            FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::integer[], $7::integer[], $8::boolean[])
                AS m (session_id, epoch, shell_epoch, screen_columns, screen_rows, is_attached)
        ), held AS (
            SELECT t.session_id
            FROM terminals t JOIN mine m USING (session_id)
            WHERE t.epoch = m.epoch
              AND (t.reader_id = $1 OR m.is_attached OR (t.reader_id IS NULL AND t.read_epoch = t.epoch))
            ORDER BY t.session_id FOR UPDATE OF t SKIP LOCKED
        ), kept AS (
            UPDATE terminals t
            SET read_epoch = t.epoch, reader_id = $1,
                reader_until = clock_timestamp() + make_interval(secs => $2),
                shell_epoch = greatest(t.shell_epoch, m.shell_epoch),
                screen_columns = m.screen_columns, screen_rows = m.screen_rows
            FROM mine m JOIN held USING (session_id)
            WHERE t.session_id = m.session_id
        )
        SELECT t.session_id AS "session_id: ExamSessionId"
        FROM terminals t JOIN mine m USING (session_id)
        WHERE NOT m.is_attached AND t.epoch = m.epoch AND t.reader_id <> $1
        "#,
        process.as_uuid(),
        lease.as_secs_f64(),
        &arrays.sessions,
        &arrays.epochs,
        &arrays.shells,
        &arrays.columns,
        &arrays.rows,
        &arrays.attached,
    )
    .fetch_all(conn)
    .await
}

/// Says of shells that a process reads them no more. What has become another's stays so.
///
/// # Errors
/// Errors of the database.
pub async fn leave_shells(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    left: &[(ExamSessionId, i64, Leaving)],
) -> Result<(), sqlx::Error> {
    let sessions: Vec<Uuid> = left.iter().map(|(id, ..)| id.as_uuid()).collect();
    let epochs: Vec<i64> = left.iter().map(|(_, epoch, _)| *epoch).collect();
    let over: Vec<bool> = left.iter().map(|it| it.2 == Leaving::Over).collect();
    let after = left.iter().map(|(.., leaving)| match leaving {
        Leaving::Over => 0.0,
        Leaving::Unread(after) => after.as_secs_f64(),
    });
    let after: Vec<f64> = after.collect();
    sqlx::query!(
        r#"
        UPDATE terminals t
        SET read_epoch = CASE WHEN NOT mine.is_over THEN t.epoch END, reader_id = NULL,
            reader_until = CASE WHEN NOT mine.is_over
                                THEN clock_timestamp() + make_interval(secs => mine.after_seconds) END
        FROM unnest($2::uuid[], $3::bigint[], $4::boolean[], $5::float8[])
            AS mine (session_id, epoch, is_over, after_seconds)
        WHERE t.session_id = mine.session_id AND t.epoch = mine.epoch AND t.reader_id = $1
        "#,
        process.as_uuid(),
        &sessions,
        &epochs,
        &over,
        &after,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes shells that nobody reads, at most `limit`, the longest unread first: those that were left, and
/// with `takes_lapsed` those whose reader has not been heard of in time, this process's own that it
/// forgot included. A session that is over is none of them, and asked about no more.
///
/// # Errors
/// Errors of the database.
pub async fn claim_unread_shells(
    conn: &mut PgConnection,
    process: TerminalProcessId,
    lease: Duration,
    takes_lapsed: bool,
    limit: i64,
) -> Result<ClaimedShells, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        WITH unread AS (
            SELECT t.session_id,
                   s.state IN ('ready', 'running') AND least(s.ends_at, s.absolute_end) > clock_timestamp()
                       AS is_open
            FROM terminals t JOIN exam_sessions s ON s.id = t.session_id
            WHERE t.read_epoch = t.epoch AND t.reader_until <= clock_timestamp()
              AND (t.reader_id IS NULL OR $3)
            ORDER BY t.reader_until LIMIT $4 FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE terminals t
        SET read_epoch = CASE WHEN unread.is_open THEN t.epoch END,
            reader_id = CASE WHEN unread.is_open THEN $1::uuid END,
            reader_until = CASE WHEN unread.is_open
                                THEN clock_timestamp() + make_interval(secs => $2) END
        FROM unread
        WHERE t.session_id = unread.session_id
        RETURNING t.session_id AS "session_id: ExamSessionId", t.epoch,
                  t.read_epoch IS NOT NULL AS "is_open!",
                  t.shell_epoch, t.screen_columns, t.screen_rows
        "#,
        process.as_uuid(),
        lease.as_secs_f64(),
        takes_lapsed,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let may_be_more = i64::try_from(rows.len()).is_ok_and(|looked_at| looked_at >= limit);
    let open = rows.into_iter().filter(|row| row.is_open);
    let claimed = open.map(|row| ReadShell {
        session_id: row.session_id,
        epoch: row.epoch,
        shell_epoch: u32::try_from(row.shell_epoch).unwrap_or(0),
        columns: cells(row.screen_columns),
        rows: cells(row.screen_rows),
        is_attached: false,
    });
    Ok(ClaimedShells {
        shells: claimed.collect(),
        may_be_more,
    })
}

/// Counts the recorded shells of open sessions that no process reads now.
///
/// # Errors
/// Errors of the database.
pub async fn count_unread_shells(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "unread!"
        FROM terminals t JOIN exam_sessions s ON s.id = t.session_id
        WHERE t.read_epoch = t.epoch AND t.reader_until <= clock_timestamp()
          AND s.state IN ('ready', 'running') AND least(s.ends_at, s.absolute_end) > clock_timestamp()
        "#
    )
    .fetch_one(conn)
    .await
}

fn cells(stored: i32) -> u16 {
    u16::try_from(stored).unwrap_or(u16::MAX)
}

/// Shells, a column an array, as `unnest` takes them.
struct Arrays {
    sessions: Vec<Uuid>,
    epochs: Vec<i64>,
    shells: Vec<i64>,
    columns: Vec<i32>,
    rows: Vec<i32>,
    attached: Vec<bool>,
}

impl Arrays {
    fn of(shells: &[ReadShell]) -> Self {
        Self {
            sessions: shells.iter().map(|it| it.session_id.as_uuid()).collect(),
            epochs: shells.iter().map(|it| it.epoch).collect(),
            shells: shells.iter().map(|it| it.shell_epoch.into()).collect(),
            columns: shells.iter().map(|it| it.columns.into()).collect(),
            rows: shells.iter().map(|it| it.rows.into()).collect(),
            attached: shells.iter().map(|it| it.is_attached).collect(),
        }
    }
}
