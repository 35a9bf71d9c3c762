//! The queue: its workers, its schedules, its database, and what has happened in it.

use std::collections::BTreeMap;
use std::time::Duration;

use job_queue::{
    EventReader, QueueEvents, count_dead_jobs, database_health, database_now, find_unhandled_kinds,
    list_schedules, workers_heard_of,
};
use sqlx::PgConnection;
use telemetry::metrics::{Metric, SECONDS};
use tokio::sync::Mutex;

use super::family::Family;
use super::whole;

/// A worker that was killed is told of for so long.
const SILENT_SECONDS: f64 = 3_600.0;
/// Begun with nothing: an increase is only seen of what was there before.
const REASONS: [&str; 3] = ["lease", "deadline", "evict"];

/// What one process remembers from scrape to scrape.
#[derive(Debug)]
pub(super) struct QueueGauges {
    dead: Family,
    unhandled: Family,
    workers: Family,
    ages: Family,
    periods: Family,
    pauses: Family,
    /// Held while events are counted, so that two scrapes at once count none twice.
    events: Mutex<EventReader>,
}

impl Default for QueueGauges {
    fn default() -> Self {
        for reason in REASONS {
            Metric::JobRescues.increment(0, &[("reason", reason)]);
        }
        Self {
            dead: Family::new(Metric::Jobs),
            unhandled: Family::new(Metric::JobsWithoutHandler),
            workers: Family::new(Metric::Workers),
            ages: Family::new(Metric::ScheduleAgeSeconds),
            periods: Family::new(Metric::SchedulePeriodSeconds),
            pauses: Family::new(Metric::SchedulePaused),
            events: Mutex::default(),
        }
    }
}

impl QueueGauges {
    pub(super) async fn read(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.read_jobs(conn).await?;
        self.read_workers(conn).await?;
        self.read_schedules(conn).await?;
        read_database(conn).await?;
        let mut events = self.events.lock().await;
        count(&events.read(conn, SECONDS).await?);
        Ok(())
    }

    async fn read_jobs(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let dead = count_dead_jobs(conn).await?.into_iter();
        let dead = dead.map(|row| ([row.queue, "dead".to_owned()], whole(row.jobs)));
        self.dead.show(dead);
        let unhandled = find_unhandled_kinds(conn).await?.into_iter();
        let unhandled = unhandled.map(|row| ([row.queue, row.kind], whole(row.jobs)));
        self.unhandled.show(unhandled);
        Ok(())
    }

    async fn read_workers(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut counts = BTreeMap::<_, i64>::new();
        for worker in workers_heard_of(conn, SILENT_SECONDS).await? {
            let state = worker.state().as_str().to_owned();
            *counts.entry([worker.build, state]).or_default() += 1;
        }
        let counts = counts.into_iter();
        self.workers
            .show(counts.map(|(labels, count)| (labels, whole(count))));
        Ok(())
    }

    async fn read_schedules(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let rows = list_schedules(conn).await?;
        let now = database_now(conn).await?;
        self.ages.show(rows.iter().filter_map(|row| {
            let since = row.last_tick_at.or(row.due_since)?;
            Some(([row.name.clone()], (now - since).as_seconds_f64().max(0.0)))
        }));
        let periods = rows.iter();
        self.periods
            .show(periods.map(|row| ([row.name.clone()], row.every_seconds)));
        let pauses = rows.into_iter();
        self.pauses.show(pauses.map(|row| {
            let is_paused = row.disabled_at.is_some();
            ([row.name], f64::from(is_paused))
        }));
        Ok(())
    }
}

async fn read_database(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let health = database_health(conn).await?;
    let connections =
        |state, count| Metric::DatabaseConnections.set(whole(count), &[("state", state)]);
    connections("used", health.connections);
    connections("max", health.connections_max);
    Metric::DatabaseXminAgeSeconds.set(health.xmin_age_seconds, &[]);
    Metric::DatabaseNotificationRatio.set(health.notification_queue_ratio, &[]);
    Metric::JobsDeadTupleRatio.set(health.dead_tuple_ratio, &[]);
    Metric::JobsBytes.set(whole(health.jobs_bytes), &[("part", "rows")]);
    Metric::JobsBytes.set(whole(health.jobs_index_bytes), &[("part", "indexes")]);
    Metric::DatabaseLockWaits.set(whole(health.lock_waits), &[]);
    Metric::DatabaseWalPositionBytes.set(health.wal_position_bytes, &[]);
    Metric::JobsWithoutLease.set(whole(health.without_lease), &[]);
    Metric::HistoryDaysAhead.set(whole(health.history_days_ahead), &[]);
    Ok(())
}

/// Adds what has happened since the last scrape.
fn count(events: &QueueEvents) {
    for row in &events.enqueued {
        let labels = [("queue", row.queue.as_str()), ("kind", row.kind.as_str())];
        Metric::JobsEnqueued.increment(row.jobs.unsigned_abs(), &labels);
    }
    for row in &events.rescued {
        Metric::JobRescues.increment(row.runs.unsigned_abs(), &[("reason", &row.reason)]);
    }
    for row in &events.actions {
        Metric::JobActions.increment(row.acts.unsigned_abs(), &[("verb", &row.verb)]);
    }
    for row in &events.ended {
        let took = Duration::try_from_secs_f64(row.mean_seconds).unwrap_or_default();
        let jobs = usize::try_from(row.jobs).unwrap_or(0);
        Metric::JobEndToEndSeconds.observe_many(took, jobs, &[("kind", &row.kind)]);
    }
}
