//! How busy queues are: what gauges show and autoscalers follow.

use serde::Serialize;
use sqlx::PgConnection;

/// One row of the view `queue_load`, over the last five minutes.
#[derive(Clone, Debug, Serialize)]
pub struct QueueLoad {
    /// The queue.
    pub queue: String,
    /// Jobs that could start now.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// How long the job that has been due longest has waited, in seconds; 0 where none is due.
    pub oldest_ready_seconds: f64,
    /// Jobs with a lease.
    pub running: i64,
    /// Live workers that claim from it.
    pub workers: i64,
    /// Their slots, which other queues of theirs may take too.
    pub slots: i64,
    /// Jobs enqueued a second.
    pub arrivals_per_second: f64,
    /// How long a run took on average; 1 where none ended.
    pub mean_run_seconds: f64,
    /// Whether nothing is claimed from it.
    pub is_paused: bool,
    /// How many of its jobs may run at once, over all workers.
    pub concurrency: Option<i32>,
    /// How many of its runs may be started a second, over all workers.
    pub rate_per_second: Option<f64>,
    /// Workers it would take to keep up, and to work off within a minute what is due: for no more slots
    /// than its limit and its rate allow it, and all queues together than theirs.
    pub desired_workers: i64,
}

/// Measures every queue that has jobs, a switch or a live worker, by name.
///
/// # Errors
/// Whatever the database says.
pub async fn queue_load(connection: &mut PgConnection) -> Result<Vec<QueueLoad>, sqlx::Error> {
    sqlx::query_as!(
        QueueLoad,
        r#"SELECT queue AS "queue!", ready AS "ready!", scheduled AS "scheduled!",
                  oldest_ready_seconds AS "oldest_ready_seconds!", running AS "running!",
                  workers AS "workers!", slots AS "slots!",
                  arrivals_per_second AS "arrivals_per_second!",
                  mean_run_seconds AS "mean_run_seconds!", is_paused AS "is_paused!", concurrency,
                  rate_per_second, desired_workers AS "desired_workers!"
           FROM queue_load ORDER BY queue"#,
    )
    .fetch_all(connection)
    .await
}
