//! What has happened to jobs, counted from what was committed, whoever did it.
//!
//! An enqueue counts when its transaction has committed, a lost lease whoever lost it, an act whoever
//! typed it: no process can count these for itself.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// Nobody scrapes less often; a reader that was not asked for longer leaves out what lies before.
const LONGEST: TimeDelta = TimeDelta::minutes(15);

/// What happened between two moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueEvents {
    /// Jobs that were enqueued, by queue and kind.
    pub enqueued: Vec<EnqueuedJobs>,
    /// Runs that were ended for their worker, by why.
    pub rescued: Vec<RescuedRuns>,
    /// Jobs that ended, by kind and how long they took in all.
    pub ended: Vec<EndedInAll>,
    /// What people did, by verb.
    pub actions: Vec<Actions>,
}

/// Jobs enqueued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnqueuedJobs {
    /// Where to.
    pub queue: String,
    /// Of which kind.
    pub kind: String,
    /// How many.
    pub jobs: i64,
}

/// Runs that did not end by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RescuedRuns {
    /// `lease`: it ran out; `deadline`: the handler did not return in time; `evict`: an operator took
    /// them away.
    pub reason: String,
    /// How many.
    pub runs: i64,
}

/// Jobs that ended, well or badly, and took about as long as each other from their enqueue on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndedInAll {
    /// Of which kind.
    pub kind: String,
    /// How many.
    pub jobs: i64,
    /// How long they took on average, in seconds.
    pub mean_seconds: f64,
}

/// Acts of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actions {
    /// The verb of `job_actions`.
    pub verb: String,
    /// How many.
    pub acts: i64,
}

/// Counts each event once, however often it is asked.
#[derive(Debug, Default)]
pub struct EventReader {
    since: Option<DateTime<Utc>>,
}

impl EventReader {
    /// Counts what happened since the last answer; the first one is empty. Times of ended jobs are
    /// averaged between these `bounds`, in seconds and growing.
    ///
    /// What happened in the last two seconds is left for the next answer, and so is what happened
    /// since the oldest transaction began that goes on, unless that was over a minute ago.
    ///
    /// # Errors
    /// Whatever the database says. Then, and if the future is dropped, the next answer has it all.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        bounds: &[f64],
    ) -> Result<QueueEvents, sqlx::Error> {
        let until = settled_until(connection).await?;
        let since = self.since.unwrap_or(until).max(until - LONGEST);
        let events = queue_events(connection, since, until, bounds).await?;
        // A transaction that is older than those before it takes the moment back.
        self.since = Some(until.max(since));
        Ok(events)
    }
}

/// Returns the moment until which everything is committed and will be seen: two seconds ago, or just
/// before the oldest transaction under way began, but no more than a minute ago.
async fn settled_until(connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    // Apart from the counting, and before it: whoever commits in between is seen by the latter. Also
    // who has written nothing yet, since what it will write bears the time of its beginning.
    sqlx::query_scalar!(
        r#"SELECT GREATEST(now() - interval '1 minute', LEAST(
                      now() - interval '2 seconds',
                      (SELECT min(xact_start) - interval '1 microsecond' FROM pg_stat_activity
                       WHERE datname = current_database() AND backend_type = 'client backend'
                         AND pid <> pg_backend_pid()))) AS "until!""#
    )
    .fetch_one(connection)
    .await
}

/// Counts what happened after `since` and until `until`, the latter included.
async fn queue_events(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    bounds: &[f64],
) -> Result<QueueEvents, sqlx::Error> {
    Ok(QueueEvents {
        enqueued: count_enqueued(connection, since, until).await?,
        rescued: count_rescued(connection, since, until).await?,
        ended: measure_ended(connection, since, until, bounds).await?,
        actions: count_actions(connection, since, until).await?,
    })
}

async fn count_enqueued(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<EnqueuedJobs>, sqlx::Error> {
    // Ids begin with the time of their maker's clock, which bounds the look; a minute is for clocks
    // that differ.
    sqlx::query_as!(
        EnqueuedJobs,
        r#"SELECT queue, kind, count(*) AS "jobs!" FROM jobs
           WHERE id >= (lpad(to_hex(GREATEST(0, extract(epoch FROM $1::timestamptz - interval '1 minute')
                                   * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
             AND created_at > $1 AND created_at <= $2
           GROUP BY queue, kind ORDER BY queue, kind"#,
        since,
        until,
    )
    .fetch_all(connection)
    .await
}

async fn count_rescued(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<RescuedRuns>, sqlx::Error> {
    sqlx::query_as!(
        RescuedRuns,
        r#"SELECT CASE WHEN outcome = 'lease_expired' THEN 'lease'
                       WHEN outcome = 'evicted' THEN 'evict'
                       ELSE 'deadline' END AS "reason!",
                  count(*) AS "runs!"
           FROM job_attempts
           WHERE finished_at > $1 AND finished_at <= $2
             AND (outcome IN ('lease_expired', 'evicted') OR error_class = 'deadline_exceeded')
           GROUP BY 1 ORDER BY 1"#,
        since,
        until,
    )
    .fetch_all(connection)
    .await
}

async fn measure_ended(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    bounds: &[f64],
) -> Result<Vec<EndedInAll>, sqlx::Error> {
    sqlx::query_as!(
        EndedInAll,
        r#"SELECT kind AS "kind!", count(*) AS "jobs!", avg(seconds)::float8 AS "mean_seconds!"
           -- Each half has an index of its own.
           FROM (SELECT kind, extract(epoch FROM finished_at - created_at)::float8 AS seconds FROM jobs
                 WHERE state IN ('done', 'cancelled') AND finished_at > $1 AND finished_at <= $2
                 UNION ALL
                 SELECT kind, extract(epoch FROM finished_at - created_at)::float8 FROM jobs
                 WHERE state = 'dead' AND finished_at > $1 AND finished_at <= $2) AS ended
           GROUP BY kind, width_bucket(seconds, $3::float8[]) ORDER BY 1, 3"#,
        since,
        until,
        bounds,
    )
    .fetch_all(connection)
    .await
}

async fn count_actions(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Actions>, sqlx::Error> {
    sqlx::query_as!(
        Actions,
        r#"SELECT verb, count(*) AS "acts!" FROM job_actions
           WHERE at > $1 AND at <= $2 AND actor NOT LIKE 'system:%'
           GROUP BY verb ORDER BY verb"#,
        since,
        until,
    )
    .fetch_all(connection)
    .await
}
