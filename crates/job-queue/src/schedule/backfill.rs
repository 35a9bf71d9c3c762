//! Ticks that were missed, and the ones an operator wants all the same.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::WorkerIncarnation;
use sqlx::{Connection as _, PgConnection};

use crate::operate::{JobAction, OperateError, append_action};

/// By then the work of a claimed tick has ended, or its worker has died or failed.
const CLAIMED_FOR: Duration = Duration::from_mins(5);
/// Most ticks of one backfill: of more, nobody reads what would run.
pub const LARGEST_BACKFILL: usize = 1_000;

/// A stretch of time: its beginning belongs to it, its end does not.
#[derive(Clone, Copy, Debug)]
pub struct TickWindow {
    /// Its beginning.
    pub from: DateTime<Utc>,
    /// Its end, now at the latest.
    pub to: DateTime<Utc>,
}

/// The missed ticks of a window.
#[derive(Clone, Debug, Serialize)]
pub struct Backfill {
    /// When each was due that nobody has asked for before, oldest first.
    pub ticks: Vec<DateTime<Utc>>,
    /// Those of the window that somebody asked for before; they are not asked for again.
    pub already_asked: i64,
    /// Those of them that no worker has ended yet.
    pub still_waiting: i64,
    /// From when on every missed tick is on record: of an earlier window nothing, or not all, is known.
    pub known_from: DateTime<Utc>,
}

/// Tells which missed ticks [`backfill_schedule`] would ask for.
///
/// # Errors
/// [`OperateError::ScheduleNotFound`], [`OperateError::WindowEmpty`],
/// [`OperateError::WindowNotPast`], and [`OperateError::BackfillTooLarge`] for more than
/// [`LARGEST_BACKFILL`].
pub async fn preview_backfill(
    connection: &mut PgConnection,
    schedule: &str,
    window: TickWindow,
) -> Result<Backfill, OperateError> {
    check(connection, schedule, window).await?;
    find(connection, schedule, window).await
}

/// Asks for the missed ticks of a window and writes down who did and why. Workers claim them between
/// the regular ones, not while the schedule is paused. No tick is asked for twice, whoever asks: one
/// whose work fails stays owed.
///
/// # Errors
/// As [`preview_backfill`]; then nothing was asked for.
pub async fn backfill_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    window: TickWindow,
    action: &JobAction,
) -> Result<Backfill, OperateError> {
    check(connection, schedule, window).await?;
    let mut transaction = connection.begin().await?;
    let mut asked = find(&mut transaction, schedule, window).await?;
    asked.ticks = owe(&mut transaction, schedule, &asked.ticks).await?;
    let detail = serde_json::json!({
        "schedule": schedule, "from": window.from, "to": window.to, "ticks": asked.ticks.len(),
    });
    append_action(&mut transaction, None, "schedule.backfill", action, &detail).await?;
    transaction.commit().await?;
    Ok(asked)
}

/// Claims the oldest tick that is owed: given to exactly one caller, and to nobody for a quarter of the
/// period after that, however many workers ask: what is owed does not drown what is due.
pub(super) async fn claim_owed(
    connection: &mut PgConnection,
    schedule: &str,
    worker: WorkerIncarnation,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // The schedule's row is changed, so that of two who ask at once the second sees that it was.
    sqlx::query_scalar!(
        "WITH turn AS (
            UPDATE schedules SET owed_claimed_at = now()
            WHERE name = (
                SELECT s.name FROM schedules s
                WHERE s.name = $1
                  AND (s.disabled_at IS NULL OR s.disabled_until <= now() OR NOT s.is_pausable)
                  AND (s.owed_claimed_at IS NULL OR s.owed_claimed_at + s.every / 4 <= now())
                  AND EXISTS (
                      SELECT 1 FROM missed_ticks m
                      WHERE m.schedule = $1 AND m.owed_at IS NOT NULL AND m.worked_at IS NULL
                        AND (m.claimed_at IS NULL OR m.claimed_at + make_interval(secs => $3) <= now()))
                FOR UPDATE SKIP LOCKED)
            RETURNING name)
         UPDATE missed_ticks SET claimed_at = now(), worker = $2
         WHERE schedule = $1 AND tick_at = (
            SELECT m.tick_at FROM missed_ticks m JOIN turn t ON t.name = m.schedule
            WHERE m.owed_at IS NOT NULL AND m.worked_at IS NULL
              AND (m.claimed_at IS NULL OR m.claimed_at + make_interval(secs => $3) <= now())
            ORDER BY m.tick_at LIMIT 1
            FOR UPDATE OF m SKIP LOCKED)
         RETURNING tick_at",
        schedule,
        worker.as_uuid(),
        CLAIMED_FOR.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await
}

/// Says that the work for an owed tick ended well. Without it the tick is claimed anew after five
/// minutes; a second end changes nothing.
///
/// # Errors
/// Whatever the database says.
pub async fn finish_owed_tick(
    connection: &mut PgConnection,
    schedule: &str,
    due_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE missed_ticks SET worked_at = clock_timestamp()
         WHERE schedule = $1 AND tick_at = $2 AND worked_at IS NULL",
        schedule,
        due_at,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Refuses a window that ends after the database's now, and a schedule that is not there.
async fn check(
    connection: &mut PgConnection,
    schedule: &str,
    window: TickWindow,
) -> Result<(), OperateError> {
    let known = sqlx::query!(
        r#"SELECT now() AS "now!", EXISTS (SELECT 1 FROM schedules WHERE name = $1) AS "exists!""#,
        schedule,
    )
    .fetch_one(connection)
    .await?;
    if !known.exists {
        let name = schedule.to_owned();
        return Err(OperateError::ScheduleNotFound { name });
    }
    if window.from >= window.to {
        return Err(OperateError::WindowEmpty);
    }
    if window.to > known.now {
        return Err(OperateError::WindowNotPast { now: known.now });
    }
    Ok(())
}

/// The missed ticks of a window: those written down, and those of a gap that is still open.
async fn find(
    connection: &mut PgConnection,
    schedule: &str,
    window: TickWindow,
) -> Result<Backfill, OperateError> {
    // One more than allowed, so that what is too much is known to be.
    let found = sqlx::query!(
        r#"WITH asked AS (
               SELECT name, every, missed_known_from,
                      CASE WHEN isfinite(last_tick_at) THEN last_tick_at ELSE due_since - every END AS since
               FROM schedules WHERE name = $1),
           gap AS (
               SELECT tick_at FROM asked a, ticks_missed(a.since, NULLIF(a.every, '0'), now()) AS t (tick_at)),
           missed AS (
               SELECT tick_at, owed_at IS NOT NULL AS asked, worked_at IS NULL AS waits FROM missed_ticks
               WHERE schedule = $1 AND tick_at >= $2 AND tick_at < $3
               UNION ALL
               SELECT g.tick_at, false, true FROM gap g
               WHERE g.tick_at >= $2 AND g.tick_at < $3
                 AND NOT EXISTS (SELECT 1 FROM missed_ticks m
                                 WHERE m.schedule = $1 AND m.tick_at = g.tick_at))
           SELECT (SELECT count(*) FROM missed WHERE asked) AS "already_asked!",
                  (SELECT count(*) FROM missed WHERE asked AND waits) AS "still_waiting!",
                  -- A gap that is still open and longer than what is kept of it begins later.
                  (SELECT greatest(a.missed_known_from,
                                   (SELECT min(tick_at) FROM gap HAVING min(tick_at) > a.since + a.every))
                   FROM asked a) AS "known_from!",
                  ARRAY(SELECT tick_at FROM missed WHERE NOT asked
                        ORDER BY tick_at LIMIT $4) AS "ticks!: Vec<DateTime<Utc>>""#,
        schedule,
        window.from,
        window.to,
        i64::try_from(LARGEST_BACKFILL)
            .unwrap_or(i64::MAX)
            .saturating_add(1),
    )
    .fetch_one(connection)
    .await?;
    if found.ticks.len() > LARGEST_BACKFILL {
        return Err(OperateError::BackfillTooLarge);
    }
    Ok(Backfill {
        ticks: found.ticks,
        already_asked: found.already_asked,
        still_waiting: found.still_waiting,
        known_from: found.known_from,
    })
}

/// Marks ticks as owed, and tells which nobody else did meanwhile.
async fn owe(
    connection: &mut PgConnection,
    schedule: &str,
    ticks: &[DateTime<Utc>],
) -> Result<Vec<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH owed AS (
               INSERT INTO missed_ticks AS m (schedule, tick_at, owed_at)
               SELECT $1, tick_at, now() FROM unnest($2::timestamptz[]) AS tick_at
               ON CONFLICT (schedule, tick_at) DO UPDATE SET owed_at = now() WHERE m.owed_at IS NULL
               RETURNING m.tick_at)
           SELECT tick_at FROM owed ORDER BY tick_at"#,
        schedule,
        ticks,
    )
    .fetch_all(connection)
    .await
}
