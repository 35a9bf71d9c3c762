//! Gauges of the whole service, read from the database when somebody scrapes.
//!
//! They are read here and nowhere else: every api shows the same numbers, and they stay true
//! whatever other process is down.

mod family;
mod queue;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use environment_access::count_unread_shells;
use job_queue::{QueueLoad, queue_load};
use sqlx::{PgConnection, PgPool};
use telemetry::metrics::Metric;

use self::queue::QueueGauges;

/// What a destruction may wait for, in the words of the table's CHECK.
const CLEANUP_BLOCKS: [&str; 1] = ["node_lost"];

/// Refreshes the gauges, and forgets none: what is no longer there reads zero.
#[derive(Debug, Default)]
pub(crate) struct ServiceGauges {
    queues: Mutex<BTreeSet<String>>,
    queue: QueueGauges,
}

impl ServiceGauges {
    /// Reads every gauge anew; one that could not be read keeps its value and says so.
    pub(crate) async fn refresh(&self, pool: &PgPool) {
        let read = async {
            let mut conn = pool.acquire().await?;
            read_sessions(&mut conn).await?;
            read_environments(&mut conn).await?;
            read_teardowns(&mut conn).await?;
            read_overdue(&mut conn).await?;
            read_unread(&mut conn).await?;
            self.read_jobs(&mut conn).await?;
            self.queue.read(&mut conn).await
        };
        let outcome = read.await;
        Metric::ServiceGaugesUp.set(if outcome.is_ok() { 1.0 } else { 0.0 }, &[]);
        if let Err(error) = outcome {
            tracing::warn!(%error, "the service's gauges could not be read");
        }
    }

    async fn read_jobs(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let load = queue_load(conn).await?;
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.extend(load.iter().map(|row| row.queue.clone()));
        for queue in queues.iter() {
            show(queue, load.iter().find(|row| &row.queue == queue));
        }
        Ok(())
    }
}

/// Sets the gauges of one queue; one that the database no longer knows has nothing to do.
fn show(queue: &str, load: Option<&QueueLoad>) {
    let count = |of: fn(&QueueLoad) -> i64| whole(load.map_or(0, of));
    let jobs = |state, value| Metric::Jobs.set(value, &[("queue", queue), ("state", state)]);
    jobs("ready", count(|load| load.ready));
    jobs("scheduled", count(|load| load.scheduled));
    jobs("running", count(|load| load.running));
    let oldest = load.map_or(0.0, |load| load.oldest_ready_seconds);
    Metric::OldestReadyJobSeconds.set(oldest, &[("queue", queue)]);
    let desired = count(|load| load.desired_workers);
    Metric::QueueDesiredWorkers.set(desired, &[("queue", queue)]);
    let paused = count(|load| i64::from(load.is_paused));
    Metric::QueuePaused.set(paused, &[("queue", queue)]);
}

async fn read_sessions(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT known.state AS "state!", count(s.id) AS "count!"
        FROM unnest($1::text[]) AS known (state) LEFT JOIN exam_sessions AS s ON s.state = known.state
        GROUP BY known.state
        "#,
        &session_lifecycle::SessionState::ALL.map(|state| state.as_str().to_owned())[..],
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        Metric::Sessions.set(whole(row.count), &[("state", &row.state)]);
    }
    Ok(())
}

async fn read_environments(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        -- What is gone is history; what is not gone holds capacity.
        SELECT known.state AS "state!", count(e.id) AS "count!"
        FROM unnest(ARRAY['absent', 'creating', 'up', 'destroying']) AS known (state)
        LEFT JOIN execution_environments AS e ON e.state = known.state
        GROUP BY known.state
        "#
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        Metric::Environments.set(whole(row.count), &[("state", &row.state)]);
    }
    Ok(())
}

async fn read_teardowns(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT cleanup_blocked AS cause, count(*) AS "count!",
               COALESCE(EXTRACT(EPOCH FROM now() - min(destroying_at)), 0)::float8 AS "oldest!"
        FROM execution_environments
        WHERE state = 'destroying'
        GROUP BY cleanup_blocked
        "#
    )
    .fetch_all(conn)
    .await?;
    // Never less than nothing: a destruction may have begun after this transaction.
    let oldest = rows.iter().map(|row| row.oldest).fold(0.0, f64::max);
    Metric::OldestTeardownSeconds.set(oldest, &[]);
    for cause in CLEANUP_BLOCKS {
        let blocked = rows.iter().find(|row| row.cause.as_deref() == Some(cause));
        let count = blocked.map_or(0, |row| row.count);
        Metric::CleanupsBlocked.set(whole(count), &[("cause", cause)]);
    }
    Ok(())
}

async fn read_overdue(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let overdue = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM execution_environments AS e JOIN exam_sessions AS s ON s.id = e.session_id
        WHERE e.state NOT IN ('absent', 'gone') AND s.ended_at < now() - interval '10 minutes'
        "#
    )
    .fetch_one(conn)
    .await?;
    Metric::EnvironmentsOverdue.set(whole(overdue), &[]);
    Ok(())
}

/// Read here rather than where shells are read: where no terminal process lives, none could say so.
async fn read_unread(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let unread = count_unread_shells(conn).await?;
    Metric::TerminalUnread.set(whole(unread), &[]);
    Ok(())
}

/// A count as a gauge's value; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no table of ours has 2^53 rows")]
fn whole(count: i64) -> f64 {
    count as f64
}
