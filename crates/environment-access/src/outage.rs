//! Times in which a terminal did not work although its browser was there, and times in which there
//! was no terminal process at all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::{ExamSessionId, Role, TerminalProcessId, UserId};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::Action;

/// A line speaks for so long: who is refused again meanwhile adds nothing to the ledger, whatever a
/// page or a script makes of it.
const TOLD_FOR: Duration = Duration::from_secs(5);
/// Of equal refusals in a row the first and the last in so long are listed: less than a page may take to
/// come back, so that nobody seems to have left in between.
const LISTED_PER: Duration = Duration::from_mins(1);
/// Among so many of a session's newest lines one that speaks is looked for.
const LOOK_AT: i64 = 100;

/// Processes say that they live every 10 s; the last word of one that lives is no older than this.
const HEARD_OF: Duration = Duration::from_secs(20);

/// Why an attached terminal did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutageCause {
    /// The stream into the environment was down.
    LegLost,
    /// Typed bytes had to wait: the database did not say whether they may pass.
    InputFrozen,
}

impl OutageCause {
    /// Returns the word that rows hold.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LegLost => "leg_lost",
            Self::InputFrozen => "input_frozen",
        }
    }
}

/// An outage that is over, by a clock that only counts: the database knows the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Names it, so that it is kept once however often it is written.
    pub id: Uuid,
    /// Why.
    pub cause: OutageCause,
    /// How long it took.
    pub lasted: Duration,
    /// How long ago it ended.
    pub ended_ago: Duration,
}

/// A time in which an attached terminal did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutageRecord {
    /// The attach.
    pub epoch: i64,
    /// Since when.
    pub began_at: DateTime<Utc>,
    /// Until when.
    pub ended_at: DateTime<Utc>,
    /// Why, as [`OutageCause::as_str`] writes it.
    pub cause: String,
}

/// Why somebody who may attach was turned away before an attach began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// The process had no place free.
    Busy,
    /// The environment was not up.
    NotUp,
}

impl TurnedAway {
    /// Returns the word that the access log holds as the code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "terminal.busy",
            Self::NotUp => "terminal.not_up",
        }
    }
}

/// When somebody who may attach was turned away, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, as [`TurnedAway::as_str`] writes it.
    pub cause: String,
}

/// Records that a candidate who may attach was turned away, so long `ago`: from then on they were
/// without a terminal. It is a line of the access log, one in five seconds for a session and a reason,
/// however often and by how many processes the candidate is refused.
///
/// # Errors
/// Errors of the database.
pub async fn record_turned_away(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    user_id: &UserId,
    why: TurnedAway,
    ago: Duration,
) -> Result<(), sqlx::Error> {
    let mut transaction = conn.begin().await?;
    // One after the other, in a statement of its own, so that the next sees what the last one wrote: who only
    // gave way would lose a line that the other does not write.
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended('turned_away:' || $1::text, 0)) AS "locked!: ()""#,
        session_id.to_string(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    insert_turned_away(&mut transaction, session_id, user_id, why, ago).await?;
    transaction.commit().await
}

async fn insert_turned_away(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    user_id: &UserId,
    why: TurnedAway,
    ago: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO access_log (at, session_id, user_id, role, action, allowed, code, detail)
         SELECT happened, $1, $2, $4, $5, false, $6, 'turned away before an attach began'
         FROM (SELECT clock_timestamp() - make_interval(secs => $3) AS happened) AS this
         WHERE NOT EXISTS (
             SELECT 1
             FROM (SELECT at, code FROM access_log WHERE session_id = $1 ORDER BY id DESC LIMIT $8) AS newest
             WHERE code = $6 AND at > happened - make_interval(secs => $7)
               AND at < happened + make_interval(secs => $7)
               -- An attach between them begins another row of refusals.
               AND NOT EXISTS (
                   SELECT FROM terminal_attachments AS attach
                   WHERE attach.session_id = $1
                     AND (attach.attached_at BETWEEN least(newest.at, happened) AND greatest(newest.at, happened)
                       OR attach.detached_at BETWEEN least(newest.at, happened) AND greatest(newest.at, happened))))",
        session_id.as_uuid(),
        user_id.as_str(),
        ago.as_secs_f64(),
        Role::Candidate.as_str(),
        Action::Attach.as_str(),
        why.as_str(),
        TOLD_FOR.as_secs_f64(),
        LOOK_AT,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Lists when a session's candidate was turned away, oldest first. Of a row of equal refusals that no
/// attach interrupts, the first and the last in a minute.
///
/// # Errors
/// Errors of the database.
pub async fn refusals(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<RefusalRecord>, sqlx::Error> {
    // A row ends where an attach begins or ends: from there on somebody else may be charged.
    sqlx::query_as!(
        RefusalRecord,
        r#"
        WITH events AS (
            SELECT at, code FROM access_log
            WHERE session_id = $1 AND NOT allowed AND code IN ('terminal.busy', 'terminal.not_up')
            UNION ALL
            SELECT attached_at, NULL FROM terminal_attachments WHERE session_id = $1
            UNION ALL
            SELECT detached_at, NULL FROM terminal_attachments
            WHERE session_id = $1 AND detached_at IS NOT NULL
        ), numbered AS (
            SELECT at, code, count(*) FILTER (WHERE code IS NULL) OVER (ORDER BY at) AS stretch,
                   date_bin(make_interval(secs => $2), at, 'epoch') AS bin
            FROM events
        ), refused AS (
            SELECT at, code, bin, lag(bin) OVER neighbours AS before, lead(bin) OVER neighbours AS after
            FROM numbered WHERE code IS NOT NULL
            WINDOW neighbours AS (PARTITION BY stretch, code ORDER BY at)
        )
        SELECT at AS "at!", code AS "cause!" FROM refused
        WHERE before IS DISTINCT FROM bin OR after IS DISTINCT FROM bin
        ORDER BY at
        "#,
        session_id.as_uuid(),
        LISTED_PER.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Its begin.
    pub from: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
}

/// Records an outage. Nothing is recorded for an attach that nobody knows.
///
/// # Errors
/// Errors of the database.
pub async fn record_outage(
    conn: &mut PgConnection,
    (session_id, epoch): (ExamSessionId, i64),
    outage: Outage,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO terminal_outages (id, session_id, epoch, began_at, ended_at, cause)
         SELECT $6, a.session_id, a.epoch, over - make_interval(secs => $4), over, $5
         FROM terminal_attachments a,
              LATERAL (SELECT clock_timestamp() - make_interval(secs => $3) AS over) AS at
         WHERE a.session_id = $1 AND a.epoch = $2
         ON CONFLICT (id) DO NOTHING",
        session_id.as_uuid(),
        epoch,
        outage.ended_ago.as_secs_f64(),
        outage.lasted.as_secs_f64(),
        outage.cause.as_str(),
        outage.id,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Lists the outages of a session's attaches, oldest first.
///
/// # Errors
/// Errors of the database.
pub async fn outages(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Vec<OutageRecord>, sqlx::Error> {
    sqlx::query_as!(
        OutageRecord,
        "SELECT epoch, began_at, ended_at, cause FROM terminal_outages
         WHERE session_id = $1 ORDER BY began_at, epoch",
        session_id.as_uuid(),
    )
    .fetch_all(conn)
    .await
}

/// Says that a terminal process lives and reaches the database. After a silence a new stretch of its
/// life begins: meanwhile it could admit nobody.
///
/// # Errors
/// Errors of the database.
pub async fn beat_process(
    conn: &mut PgConnection,
    process: TerminalProcessId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH heard AS (
             UPDATE terminal_processes SET seen_at = greatest(seen_at, clock_timestamp())
             WHERE id = $1 AND seen_at >= clock_timestamp() - make_interval(secs => $2)
             RETURNING id
         )
         INSERT INTO terminal_processes (id) SELECT $1 WHERE NOT EXISTS (SELECT FROM heard)",
        process.as_uuid(),
        HEARD_OF.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Finds the times within `span` in which no terminal process lived, as far as any is known to have
/// lived before: whoever was not attached then could not be.
///
/// # Errors
/// Errors of the database.
pub async fn downtimes(conn: &mut PgConnection, span: Span) -> Result<Vec<Span>, sqlx::Error> {
    // A gap is where the next process begins after every earlier one was last heard of.
    sqlx::query_as!(
        Span,
        r#"
        WITH lives AS (
            SELECT started_at, seen_at + make_interval(secs => $3) AS until
            FROM terminal_processes
            WHERE started_at < $2
        ), gaps AS (
            SELECT max(until) OVER (ORDER BY started_at, until) AS down_from,
                   lead(started_at, 1, $2) OVER (ORDER BY started_at, until) AS up_from
            FROM lives
        )
        SELECT greatest(down_from, $1) AS "from!", least(up_from, $2) AS "until!"
        FROM gaps
        WHERE greatest(down_from, $1) < least(up_from, $2)
        ORDER BY 1
        "#,
        span.from,
        span.until,
        HEARD_OF.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}
