//! Recurring work without a leader: a tick belongs to whoever moves the row first.

mod backfill;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::WorkerIncarnation;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::measure;
use crate::operate::{JobAction, OperateError, append_action};

pub use backfill::{
    Backfill, LARGEST_BACKFILL, TickWindow, backfill_schedule, finish_owed_tick, preview_backfill,
};

/// The longest pause: nothing that recurs may be forgotten.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Recurring work, as the code that does it knows it.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Its name, for ever.
    pub name: &'static str,
    /// Its period.
    pub every: Duration,
    /// Whether an operator may pause it.
    pub is_pausable: bool,
}

/// A tick that its caller has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// That of this period: the next one comes whatever becomes of its work.
    Regular,
    /// A missed one that an operator asked for; [`finish_owed_tick`] ends it.
    Owed {
        /// When it was due.
        due_at: DateTime<Utc>,
    },
}

/// Claims the tick of a schedule: given to exactly one caller per period, however many ask.
///
/// A schedule that does not exist yet is made, and its maker has the first tick. Missed periods are
/// written down and not made up for: the next tick comes one period after the last one that was
/// claimed, or at the end of a pause. Those that an operator asks for ([`backfill_schedule`]) are
/// claimed between the regular ones, oldest first, four a period at most.
///
/// # Errors
/// Whatever the database says.
pub async fn tick(
    connection: &mut PgConnection,
    schedule: Schedule,
    worker: WorkerIncarnation,
) -> Result<Option<Tick>, sqlx::Error> {
    // SKIP LOCKED: who loses the race is told so at once instead of waiting for the winner's
    // transaction.
    let claimed = sqlx::query_scalar!(
        r#"WITH due AS MATERIALIZED (
            SELECT s.name, s.every,
                   CASE WHEN isfinite(s.last_tick_at) THEN s.last_tick_at ELSE s.due_since - s.every END
                       AS begun
            FROM schedules s
            WHERE s.name = $1 AND (s.disabled_at IS NULL OR s.disabled_until <= now() OR NOT $4)
              AND s.last_tick_at + make_interval(secs => $2) <= now()
            FOR UPDATE SKIP LOCKED)
         UPDATE schedules SET
            last_tick_at = now(), last_worker = $3, every = make_interval(secs => $2),
            is_pausable = $4, disabled_at = NULL, disabled_until = NULL, disabled_by = NULL,
            disabled_reason = NULL
         FROM due WHERE schedules.name = due.name
         -- As many as the row's trigger writes down.
         RETURNING CASE WHEN due.every > interval '0' THEN
             (SELECT count(*) FROM ticks_missed(due.begun, due.every, now())) ELSE 0 END
             AS "missed!""#,
        schedule.name,
        schedule.every.as_secs_f64(),
        worker.as_uuid(),
        schedule.is_pausable,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(missed) = claimed {
        measure::tick_claimed(schedule.name, missed);
        return Ok(Some(Tick::Regular));
    }
    let made = sqlx::query!(
        "INSERT INTO schedules (name, every, last_tick_at, last_worker, is_pausable)
         SELECT $1, make_interval(secs => $2), now(), $3, $4
         WHERE NOT EXISTS (SELECT 1 FROM schedules s WHERE s.name = $1)
         ON CONFLICT (name) DO NOTHING",
        schedule.name,
        schedule.every.as_secs_f64(),
        worker.as_uuid(),
        schedule.is_pausable,
    )
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() > 0 {
        measure::tick_claimed(schedule.name, 0);
        return Ok(Some(Tick::Regular));
    }
    let owed = backfill::claim_owed(connection, schedule.name, worker).await?;
    if owed.is_some() {
        measure::tick_claimed(schedule.name, 0);
    }
    Ok(owed.map(|due_at| Tick::Owed { due_at }))
}

/// Stores what the last tick did, for people.
///
/// # Errors
/// Whatever the database says.
pub async fn record_tick(
    connection: &mut PgConnection,
    schedule: &str,
    status: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE schedules SET last_status = $2, last_ran_at = clock_timestamp() WHERE name = $1",
        schedule,
        status,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One row of `schedules`.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleRecord {
    /// The schedule's name.
    pub name: String,
    /// Its period, in seconds.
    pub every_seconds: f64,
    /// When a tick was last claimed; `None` before the first.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Since when the next is due because an operator made it so; `None` for the ordinary.
    pub due_since: Option<DateTime<Utc>>,
    /// When the next is due, now if it already is, after its pause if it is paused.
    pub next_tick_at: Option<DateTime<Utc>>,
    /// Who claimed it.
    pub last_worker: Option<Uuid>,
    /// When the work of a tick last ended.
    pub last_ran_at: Option<DateTime<Utc>>,
    /// What it did.
    pub last_status: Option<Value>,
    /// Missed ticks that an operator asked for and no worker has ended yet.
    pub owed_ticks: i64,
    /// Whether an operator may pause it.
    pub is_pausable: bool,
    /// Since when it is paused; `None` while it is not.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when; `None` for a pause of an older Carrel, which ends when it is resumed.
    pub disabled_until: Option<DateTime<Utc>>,
    /// Who paused it.
    pub disabled_by: Option<String>,
    /// Why.
    pub disabled_reason: Option<String>,
}

/// Lists every schedule by name.
///
/// # Errors
/// Whatever the database says.
pub async fn list_schedules(
    connection: &mut PgConnection,
) -> Result<Vec<ScheduleRecord>, sqlx::Error> {
    sqlx::query_as!(
        ScheduleRecord,
        r#"SELECT name, extract(epoch FROM every)::float8 AS "every_seconds!",
                  NULLIF(last_tick_at, '-infinity') AS last_tick_at, due_since,
                  CASE WHEN NOT paused OR disabled_until IS NOT NULL
                       THEN GREATEST(last_tick_at + every, now(), CASE WHEN paused THEN disabled_until END)
                  END AS next_tick_at,
                  last_worker, last_ran_at, last_status, is_pausable,
                  (SELECT count(*) FROM missed_ticks m
                   WHERE m.schedule = name AND m.owed_at IS NOT NULL AND m.worked_at IS NULL)
                      AS "owed_ticks!",
                  CASE WHEN paused THEN disabled_at END AS disabled_at,
                  CASE WHEN paused THEN disabled_until END AS disabled_until,
                  CASE WHEN paused THEN disabled_by END AS disabled_by,
                  CASE WHEN paused THEN disabled_reason END AS disabled_reason
           FROM schedules,
                LATERAL (SELECT disabled_at IS NOT NULL AND is_pausable
                                AND coalesce(disabled_until > now(), true) AS paused) AS pause
           ORDER BY name"#,
    )
    .fetch_all(connection)
    .await
}

/// Pauses a schedule for a while, at most [`LONGEST_PAUSE`], and writes down who did and why. A second
/// pause takes the place of the first.
///
/// # Errors
/// [`OperateError::ScheduleNotFound`] if no worker has made it yet,
/// [`OperateError::ScheduleNeverPauses`] and [`OperateError::PauseTooLong`].
pub async fn pause_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    lasts: Duration,
    action: &JobAction,
) -> Result<(), OperateError> {
    if lasts > LONGEST_PAUSE {
        return Err(OperateError::PauseTooLong);
    }
    let mut transaction = connection.begin().await?;
    let is_pausable = sqlx::query_scalar!(
        "UPDATE schedules
         SET disabled_at = CASE WHEN is_pausable THEN now() END,
             disabled_until = CASE WHEN is_pausable THEN now() + make_interval(secs => $2) END,
             disabled_by = CASE WHEN is_pausable THEN $3 END,
             disabled_reason = CASE WHEN is_pausable THEN $4 END
         WHERE name = $1
         RETURNING is_pausable",
        schedule,
        lasts.as_secs_f64(),
        action.actor,
        action.reason,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if is_pausable == Some(false) {
        // Dropped, it would hold the row until the connection is used again.
        transaction.rollback().await?;
        let name = schedule.to_owned();
        return Err(OperateError::ScheduleNeverPauses { name });
    }
    let changed = u64::from(is_pausable.is_some());
    note(
        &mut transaction,
        schedule,
        "schedule.pause",
        action,
        changed,
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Ends a pause before its time and writes down who did and why.
///
/// # Errors
/// [`OperateError::ScheduleNotFound`] if no worker has made it yet.
pub async fn resume_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query!(
        "UPDATE schedules SET disabled_at = NULL, disabled_until = NULL, disabled_by = NULL,
                              disabled_reason = NULL
         WHERE name = $1",
        schedule,
    )
    .execute(&mut *transaction)
    .await?;
    let changed = changed.rows_affected();
    note(
        &mut transaction,
        schedule,
        "schedule.resume",
        action,
        changed,
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Makes a schedule's next tick due now: whoever asks for it next has it. One that is paused stays so.
///
/// # Errors
/// As [`resume_schedule`].
pub async fn run_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query!(
        "UPDATE schedules SET last_tick_at = '-infinity' WHERE name = $1",
        schedule,
    )
    .execute(&mut *transaction)
    .await?;
    let changed = changed.rows_affected();
    note(&mut transaction, schedule, "schedule.run", action, changed).await?;
    Ok(transaction.commit().await?)
}

/// Writes an act down, or tells that there was nothing to act on.
async fn note(
    connection: &mut PgConnection,
    schedule: &str,
    verb: &str,
    action: &JobAction,
    changed: u64,
) -> Result<(), OperateError> {
    let name = schedule.to_owned();
    if changed == 0 {
        return Err(OperateError::ScheduleNotFound { name });
    }
    let detail = serde_json::json!({ "schedule": name });
    append_action(connection, None, verb, action, &detail).await?;
    Ok(())
}
