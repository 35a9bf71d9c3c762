//! Gauges of the whole service, read from the database when somebody scrapes.
//!
//! They are read here and nowhere else: every api shows the same numbers, and they stay true
//! whatever other process is down.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sqlx::{PgConnection, PgPool};
use telemetry::metrics::Metric;

/// Refreshes the gauges, and forgets none: what is no longer there reads zero.
#[derive(Debug, Default)]
pub(crate) struct ServiceGauges {
    queues: Mutex<BTreeSet<String>>,
}

impl ServiceGauges {
    /// Reads every gauge anew; one that could not be read keeps its value and says so.
    pub(crate) async fn refresh(&self, pool: &PgPool) {
        let read = async {
            let mut conn = pool.acquire().await?;
            read_sessions(&mut conn).await?;
            read_environments(&mut conn).await?;
            self.read_jobs(&mut conn).await
        };
        let outcome = read.await;
        Metric::ServiceGaugesUp.set(if outcome.is_ok() { 1.0 } else { 0.0 }, &[]);
        if let Err(error) = outcome {
            tracing::warn!(%error, "the service's gauges could not be read");
        }
    }

    async fn read_jobs(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let rows = sqlx::query!(
            r#"
            -- Ready and running only: finished rows leave the table in their own time and would
            -- make every scrape read history. Index-only on the two partial indexes.
            SELECT queue, state, count(*) AS "count!",
                   max(extract(epoch FROM now() - run_at)) FILTER (WHERE state = 'ready')
                       ::double precision AS oldest_seconds
            FROM jobs WHERE state IN ('ready', 'running')
            GROUP BY queue, state
            "#
        )
        .fetch_all(conn)
        .await?;
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.extend(rows.iter().map(|row| row.queue.clone()));
        for queue in queues.iter() {
            let of = |state| {
                rows.iter()
                    .find(|row| &row.queue == queue && row.state == state)
            };
            for state in ["ready", "running"] {
                let count = of(state).map_or(0, |row| row.count);
                Metric::Jobs.set(whole(count), &[("queue", queue), ("state", state)]);
            }
            // A job that is due later has waited less than nothing.
            let oldest = of("ready")
                .and_then(|row| row.oldest_seconds)
                .unwrap_or(0.0)
                .max(0.0);
            Metric::OldestReadyJobSeconds.set(oldest, &[("queue", queue)]);
        }
        Ok(())
    }
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

/// A count as a gauge's value; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no table of ours has 2^53 rows")]
fn whole(count: i64) -> f64 {
    count as f64
}
