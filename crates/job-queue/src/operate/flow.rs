//! How fast jobs come and go.

use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use crate::job::millis;

/// What came into one queue and what left it, in the last while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueFlow {
    /// The queue.
    pub name: String,
    /// Jobs made a second.
    pub arrivals_per_second: f64,
    /// Jobs that ended a second, well or badly.
    pub finishes_per_second: f64,
    /// How long the last run of a job that ended took; `None` if none did.
    pub mean_run_seconds: Option<f64>,
}

/// Measures every queue that something came into or left within the window.
///
/// # Errors
/// Whatever the database says.
pub async fn queue_flows(
    connection: &mut PgConnection,
    window: Duration,
) -> Result<Vec<QueueFlow>, sqlx::Error> {
    // Ids begin with the milliseconds of their making, so that the primary key finds the young ones
    // without an index of its own; a minute allows for clocks that differ.
    sqlx::query_as!(
        QueueFlow,
        r#"WITH begun AS (
               SELECT now() - $1::bigint * interval '1 millisecond' AS at,
                      $1::float8 / 1000 AS seconds
           ),
           arrived AS (
               SELECT j.queue AS name, count(*) AS jobs FROM jobs j
               WHERE j.id >= (
                       lpad(to_hex(GREATEST(0, extract(epoch FROM now() - $1::bigint
                           * interval '1 millisecond' - interval '1 minute') * 1000)::bigint),
                           12, '0')
                       || repeat('0', 20))::uuid
                 AND j.created_at >= (SELECT at FROM begun)
               GROUP BY j.queue
           ),
           ended AS (
               SELECT j.queue AS name, count(*) AS jobs,
                      avg(extract(epoch FROM j.finished_at - j.started_at))::float8 AS run
               -- Each half has an index of its own.
               FROM (SELECT queue, started_at, finished_at FROM jobs
                     WHERE state IN ('done', 'cancelled') AND finished_at >= (SELECT at FROM begun)
                     UNION ALL
                     SELECT queue, started_at, finished_at FROM jobs
                     WHERE state = 'dead' AND finished_at >= (SELECT at FROM begun)) j
               GROUP BY j.queue
           )
           SELECT COALESCE(a.name, e.name) AS "name!",
                  COALESCE(a.jobs, 0) / b.seconds AS "arrivals_per_second!",
                  COALESCE(e.jobs, 0) / b.seconds AS "finishes_per_second!",
                  e.run AS "mean_run_seconds?"
           FROM arrived a FULL JOIN ended e ON e.name = a.name CROSS JOIN begun b
           ORDER BY 1"#,
        millis(window),
    )
    .fetch_all(connection)
    .await
}
