//! Queues: their switches, and how full they are.

mod all;
mod limits;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

pub use all::{AllQueues, limit_all_queues, load_all_queues};
pub use limits::{age_queue, limit_queue, limit_queue_rate};

use crate::{
    job::millis,
    operate::{JobAction, append_action},
    workers::WORKER_LIVE_SECONDS,
};

/// How one queue stands.
#[derive(Clone, Debug, Serialize)]
pub struct QueueStatus {
    /// The queue.
    pub name: String,
    /// Jobs that could start now.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs with a lease, run out or not.
    pub running: i64,
    /// Dead jobs not yet deleted.
    pub dead: i64,
    /// How long the job that has been due longest has waited, in seconds.
    pub oldest_ready_seconds: Option<f64>,
    /// Since when nothing is claimed from it; `None` while it is open.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_reason: Option<String>,
    /// When it opens by itself.
    pub paused_until: Option<DateTime<Utc>>,
    /// How many of its jobs may run at once, over all workers; `None` for as many as have slots.
    pub concurrency: Option<i32>,
    /// How many of its runs may be started a second, over all workers; `None` for as many as have slots.
    pub rate_per_second: Option<f64>,
    /// How long a job of it waits until it counts as one priority higher; `None` where higher ones
    /// always go first.
    pub priority_age_seconds: Option<f64>,
}

/// Lists every queue that has live or dead jobs, a switch or a live worker, by name.
///
/// # Errors
/// Whatever the database says.
pub async fn list_queues(connection: &mut PgConnection) -> Result<Vec<QueueStatus>, sqlx::Error> {
    // Done and cancelled rows are never read: each state that counts has a partial index of its own,
    // which serves only whoever names that state alone.
    sqlx::query_as!(
        QueueStatus,
        r#"WITH live AS (
               SELECT queue, state, run_at FROM jobs WHERE state = 'ready'
               UNION ALL
               SELECT queue, state, run_at FROM jobs WHERE state = 'running'
               UNION ALL
               SELECT queue, state, run_at FROM jobs WHERE state = 'dead'
           ),
           counted AS (
               SELECT queue AS name,
                      count(*) FILTER (WHERE state = 'ready' AND run_at <= now()) AS ready,
                      count(*) FILTER (WHERE state = 'ready' AND run_at > now()) AS scheduled,
                      count(*) FILTER (WHERE state = 'running') AS running,
                      count(*) FILTER (WHERE state = 'dead') AS dead,
                      extract(epoch FROM now() - min(run_at) FILTER (
                          WHERE state = 'ready' AND run_at <= now()))::float8 AS oldest
               FROM live GROUP BY queue
           ),
           -- A pause that has run out is no pause.
           switched AS (
               SELECT name, paused_at, paused_by, paused_reason, paused_until, concurrency, rate_per_second,
                      extract(epoch FROM priority_age)::float8 AS age,
                      paused_at IS NOT NULL
                          AND (paused_until IS NULL OR paused_until > now()) AS is_paused
               FROM queues
           ),
           served AS (
               SELECT DISTINCT unnest(w.queues) AS name FROM workers w
               WHERE w.stopped_at IS NULL AND w.seen_at > now() - make_interval(secs => $1)
           )
           SELECT COALESCE(c.name, s.name, w.name) AS "name!",
                  COALESCE(c.ready, 0) AS "ready!", COALESCE(c.scheduled, 0) AS "scheduled!",
                  COALESCE(c.running, 0) AS "running!", COALESCE(c.dead, 0) AS "dead!",
                  c.oldest AS "oldest_ready_seconds?",
                  CASE WHEN s.is_paused THEN s.paused_at END AS "paused_at?",
                  CASE WHEN s.is_paused THEN s.paused_by END AS "paused_by?",
                  CASE WHEN s.is_paused THEN s.paused_reason END AS "paused_reason?",
                  CASE WHEN s.is_paused THEN s.paused_until END AS "paused_until?",
                  s.concurrency AS "concurrency?", s.rate_per_second AS "rate_per_second?",
                  s.age AS "priority_age_seconds?"
           FROM counted c
           FULL JOIN switched s ON s.name = c.name
           FULL JOIN served w ON w.name = COALESCE(c.name, s.name)
           ORDER BY 1"#,
        WORKER_LIVE_SECONDS,
    )
    .fetch_all(connection)
    .await
}

/// Stops claims from a queue, for a while or until it is resumed; what runs goes on.
///
/// # Errors
/// Whatever the database says.
pub async fn pause_queue(
    connection: &mut PgConnection,
    queue: &str,
    pause_for: Option<Duration>,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let pause_ms = pause_for.map(millis);
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO queues (name, paused_at, paused_by, paused_reason, paused_until)
         VALUES ($1, now(), $2, $3, now() + $4::bigint * interval '1 millisecond')
         ON CONFLICT (name) DO UPDATE SET
            paused_at = now(), paused_by = EXCLUDED.paused_by,
            paused_reason = EXCLUDED.paused_reason, paused_until = EXCLUDED.paused_until",
        queue,
        action.actor,
        action.reason,
        pause_ms,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = serde_json::json!({ "queue": queue, "pause_ms": pause_ms });
    append_action(&mut transaction, None, "queue.pause", action, &detail).await?;
    transaction.commit().await
}

/// Opens a queue again; opening an open queue changes nothing but is written down.
///
/// # Errors
/// Whatever the database says.
pub async fn resume_queue(
    connection: &mut PgConnection,
    queue: &str,
    action: &JobAction,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "UPDATE queues SET paused_at = NULL, paused_by = NULL, paused_reason = NULL,
                paused_until = NULL
         WHERE name = $1",
        queue,
    )
    .execute(&mut *transaction)
    .await?;
    let detail = serde_json::json!({ "queue": queue });
    append_action(&mut transaction, None, "queue.resume", action, &detail).await?;
    transaction.commit().await
}
