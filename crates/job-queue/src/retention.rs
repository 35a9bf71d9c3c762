//! Finished rows leave the hot table, and history goes by the day.

use std::time::Duration;

use sqlx::PgConnection;

use crate::job::millis;

const DAY: Duration = Duration::from_hours(24);
/// Days of history that have their partition ahead of time.
const DAYS_AHEAD: i32 = 7;

/// How long what has ended is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Jobs that are done or cancelled. A week, so that an exam of this week can be looked into.
    pub finished: Duration,
    /// Dead jobs.
    pub dead: Duration,
    /// How runs ended, workers that have, and missed ticks. Longer than any job, so that what is shown is whole.
    pub history: Duration,
    /// Jobs deleted by one statement.
    pub batch: i64,
    /// Statements of one pass: what is left waits for the next, so that no pass is long.
    pub batches: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            finished: 7 * DAY,
            dead: 30 * DAY,
            history: 31 * DAY,
            batch: 2_000,
            batches: 50,
        }
    }
}

/// What one pass removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Jobs.
    pub jobs: u64,
    /// Days of history.
    pub days: u64,
    /// Workers that have ended.
    pub workers: u64,
    /// Missed ticks of schedules.
    pub missed_ticks: u64,
}

/// Removes what is older than it is kept, a bounded number of rows a pass, and makes the days of
/// history to come. Of several at once one may fail over a day that another makes or drops; the next
/// pass finds it done.
///
/// # Errors
/// Whatever the database says; what was removed until then stays removed.
pub async fn apply_retention(
    connection: &mut PgConnection,
    retention: &Retention,
) -> Result<Removed, sqlx::Error> {
    let finished = (EndedJobs::DoneOrCancelled, retention.finished);
    let mut jobs = 0;
    for (which, older_than) in [finished, (EndedJobs::Dead, retention.dead)] {
        for _ in 0..retention.batches {
            let deleted = delete_finished(connection, which, older_than, retention.batch).await?;
            jobs += deleted;
            if deleted < retention.batch.unsigned_abs() {
                break;
            }
        }
    }
    let workers = delete_ended_workers(connection, retention.history).await?;
    let missed_ticks = delete_missed_ticks(connection, retention).await?;
    // Last, since a reader of the history may hold these up; the days ahead have a week for it.
    let added = add_history_days(connection).await;
    let days = drop_history_days(connection, retention.history).await?;
    added?;
    Ok(Removed {
        jobs,
        days: u64::from(days.unsigned_abs()),
        workers,
        missed_ticks,
    })
}

/// What [`delete_finished`] deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedJobs {
    /// Those that are done or cancelled.
    DoneOrCancelled,
    /// The dead, which somebody may still want to retry.
    Dead,
}

/// Deletes up to `limit` of these jobs that ended longer ago than `older_than`. Returns how many;
/// fewer than `limit` means none is left. Their history stays until its days are dropped.
///
/// # Errors
/// Whatever the database says.
pub async fn delete_finished(
    connection: &mut PgConnection,
    which: EndedJobs,
    older_than: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Each predicate is that of its own index, so that neither walks past the other's rows.
    let deleted = match which {
        EndedJobs::DoneOrCancelled => sqlx::query!(
            "DELETE FROM jobs WHERE id = ANY(ARRAY(
                SELECT id FROM jobs
                WHERE state IN ('done', 'cancelled')
                  AND finished_at < now() - $1::bigint * interval '1 millisecond'
                ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
            millis(older_than),
            limit,
        ),
        EndedJobs::Dead => sqlx::query!(
            "DELETE FROM jobs WHERE id = ANY(ARRAY(
                SELECT id FROM jobs
                WHERE state = 'dead'
                  AND finished_at < now() - $1::bigint * interval '1 millisecond'
                LIMIT $2 FOR UPDATE SKIP LOCKED))",
            millis(older_than),
            limit,
        ),
    };
    Ok(deleted.execute(connection).await?.rows_affected())
}

/// Makes the partitions of the coming days that are missing. Returns how many.
///
/// # Errors
/// Whatever the database says; what ends meanwhile is kept in the default partition.
pub async fn add_history_days(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT job_attempts_add_days($1) AS "added!""#,
        DAYS_AHEAD
    )
    .fetch_one(connection)
    .await
}

/// Drops the days of history that ended longer ago than `older_than`. Returns how many.
///
/// # Errors
/// Whatever the database says, such as that a reader has held the history for the two seconds that
/// the function waits.
pub async fn drop_history_days(
    connection: &mut PgConnection,
    older_than: Duration,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT job_attempts_drop_days($1::bigint * interval '1 millisecond') AS "dropped!""#,
        millis(older_than),
    )
    .fetch_one(connection)
    .await
}

async fn delete_ended_workers(
    connection: &mut PgConnection,
    unseen_for: Duration,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM workers w
         WHERE w.seen_at < now() - $1::bigint * interval '1 millisecond'
           AND NOT EXISTS (
               SELECT 1 FROM jobs j WHERE j.state = 'running' AND j.lease_owner = w.incarnation)",
        millis(unseen_for),
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

async fn delete_missed_ticks(
    connection: &mut PgConnection,
    retention: &Retention,
) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for _ in 0..retention.batches {
        let deleted = sqlx::query_scalar!(
            r#"WITH gone AS (
                   DELETE FROM missed_ticks WHERE ctid = ANY(ARRAY(
                       SELECT ctid FROM missed_ticks
                       WHERE tick_at < now() - $1::bigint * interval '1 millisecond'
                         -- Who asked for it waits for it.
                         AND (owed_at IS NULL OR worked_at IS NOT NULL)
                       ORDER BY tick_at LIMIT $2 FOR UPDATE SKIP LOCKED))
                   RETURNING schedule),
               -- Whoever asks about that time later is told that nothing is known of it.
               told AS (
                   UPDATE schedules SET missed_known_from
                       = greatest(missed_known_from, now() - $1::bigint * interval '1 millisecond')
                   WHERE name IN (SELECT schedule FROM gone))
               SELECT count(*) AS "deleted!" FROM gone"#,
            millis(retention.history),
            retention.batch,
        )
        .fetch_one(&mut *connection)
        .await?
        .unsigned_abs();
        removed += deleted;
        if deleted < retention.batch.unsigned_abs() {
            break;
        }
    }
    Ok(removed)
}
