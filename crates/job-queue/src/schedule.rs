//! Recurring work without a leader: a tick belongs to whoever moves the row first.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::WorkerIncarnation;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::operate::{JobAction, OperateError, append_action};

/// Claims the tick of a schedule: true for exactly one caller per period, however many ask.
///
/// A schedule that does not exist yet is made, and its maker has the first tick. Missed periods are
/// not made up for: the next tick comes one period after the last one that was claimed.
///
/// # Errors
/// Whatever the database says.
pub async fn tick(
    connection: &mut PgConnection,
    schedule: &str,
    every: Duration,
    worker: WorkerIncarnation,
) -> Result<bool, sqlx::Error> {
    // SKIP LOCKED: who loses the race is told so at once instead of waiting for the winner's
    // transaction.
    let claimed = sqlx::query!(
        "UPDATE schedules SET
            last_tick_at = now(), last_worker = $3, every = make_interval(secs => $2)
         WHERE name = (
            SELECT s.name FROM schedules s
            WHERE s.name = $1 AND s.disabled_at IS NULL
              AND s.last_tick_at + make_interval(secs => $2) <= now()
            FOR UPDATE SKIP LOCKED)",
        schedule,
        every.as_secs_f64(),
        worker.as_uuid(),
    )
    .execute(&mut *connection)
    .await?;
    if claimed.rows_affected() > 0 {
        return Ok(true);
    }
    let made = sqlx::query!(
        "INSERT INTO schedules (name, every, last_tick_at, last_worker)
         SELECT $1, make_interval(secs => $2), now(), $3
         WHERE NOT EXISTS (SELECT 1 FROM schedules s WHERE s.name = $1)
         ON CONFLICT (name) DO NOTHING",
        schedule,
        every.as_secs_f64(),
        worker.as_uuid(),
    )
    .execute(connection)
    .await?;
    Ok(made.rows_affected() > 0)
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
    /// When the next is due, now if it already is; `None` while it is off.
    pub next_tick_at: Option<DateTime<Utc>>,
    /// Who claimed it.
    pub last_worker: Option<Uuid>,
    /// When the work of a tick last ended.
    pub last_ran_at: Option<DateTime<Utc>>,
    /// What it did.
    pub last_status: Option<Value>,
    /// When it was switched off; `None` while it is on.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Who switched it off.
    pub disabled_by: Option<String>,
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
                  NULLIF(last_tick_at, '-infinity') AS last_tick_at,
                  CASE WHEN disabled_at IS NULL
                       THEN GREATEST(last_tick_at + every, now()) END AS next_tick_at,
                  last_worker, last_ran_at, last_status, disabled_at, disabled_by
           FROM schedules ORDER BY name"#,
    )
    .fetch_all(connection)
    .await
}

/// Switches a schedule off and writes down who did and why.
///
/// # Errors
/// [`OperateError::ScheduleNotFound`] if no worker has made it yet.
pub async fn disable_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query!(
        "UPDATE schedules SET disabled_at = COALESCE(disabled_at, now()), disabled_by = $2
         WHERE name = $1",
        schedule,
        action.actor,
    )
    .execute(&mut *transaction)
    .await?;
    let changed = changed.rows_affected();
    note(
        &mut transaction,
        schedule,
        "schedule.disable",
        action,
        changed,
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Switches a schedule on again and writes down who did and why.
///
/// # Errors
/// As [`disable_schedule`].
pub async fn enable_schedule(
    connection: &mut PgConnection,
    schedule: &str,
    action: &JobAction,
) -> Result<(), OperateError> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query!(
        "UPDATE schedules SET disabled_at = NULL, disabled_by = NULL WHERE name = $1",
        schedule,
    )
    .execute(&mut *transaction)
    .await?;
    let changed = changed.rows_affected();
    note(
        &mut transaction,
        schedule,
        "schedule.enable",
        action,
        changed,
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Makes a schedule's next tick due now: whoever asks for it next has it. One that is switched off
/// stays so.
///
/// # Errors
/// As [`disable_schedule`].
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
