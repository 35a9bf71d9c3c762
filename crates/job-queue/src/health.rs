//! What the queue needs of its database and of its workers, beside jobs that come and go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::gauge;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::workers::WORKER_LIVE_SECONDS;

/// Who scrapes waits no longer than this for a connection of a busy pool.
const CONNECTION_WITHIN: Duration = Duration::from_secs(1);

/// How the database stands, by its own statistics.
///
/// Without `pg_read_all_stats` PostgreSQL tells a role of its own sessions only: give all processes
/// one role, or their roles this right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseHealth {
    /// Client connections of the whole server.
    pub connections: i64,
    /// Client connections that it lets a common role have.
    pub connections_max: i64,
    /// How full the queue of notifications is, from 0 to 1; full, every NOTIFY fails.
    pub notification_queue_ratio: f64,
    /// Age of the oldest transaction here that keeps dead rows from being removed, in seconds.
    pub xmin_age_seconds: f64,
    /// Who holds it: `application_name, process id`, or a prepared transaction's name.
    pub xmin_holder: Option<String>,
    /// Dead rows of `jobs` as a part of all its rows, from 0 to 1; 0 where they are a thousand at most.
    pub dead_tuple_ratio: f64,
    /// Size of the rows of `jobs`, dead ones and what is kept beside them included.
    pub jobs_bytes: i64,
    /// Size of its indexes.
    pub jobs_index_bytes: i64,
    /// Sessions here that wait for another one's lock.
    pub lock_waits: i64,
    /// How far the server's write-ahead log has come, in bytes since the server was made.
    pub wal_position_bytes: f64,
    /// Days after today that have their partition of the history.
    pub history_days_ahead: i64,
    /// Running jobs whose lease has run out; the next claim takes them. Those of paused queues and of
    /// queues whose rate lets no run start now, which nobody may claim, are left out.
    pub without_lease: i64,
    /// Jobs that have run for over 15 s under a lease that nobody known holds: no row in `workers`, or
    /// one that has ended.
    pub unknown_leases: i64,
}

/// Reads how the database stands.
///
/// # Errors
/// Whatever the database says.
pub async fn database_health(connection: &mut PgConnection) -> Result<DatabaseHealth, sqlx::Error> {
    sqlx::query_as!(
        DatabaseHealth,
        r#"WITH holders AS (
               SELECT xact_start AS since, concat_ws(', ', NULLIF(application_name, ''), pid) AS name
               FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND xact_start IS NOT NULL AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
               UNION ALL
               SELECT prepared, gid FROM pg_prepared_xacts WHERE database = current_database()
           ),
           oldest AS (SELECT since, name FROM holders ORDER BY since LIMIT 1),
           running AS (SELECT queue, lease_owner, lease_until, started_at FROM jobs WHERE state = 'running')
           SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
                      AS "connections!",
                  (current_setting('max_connections')::bigint
                   - current_setting('superuser_reserved_connections')::bigint) AS "connections_max!",
                  pg_notification_queue_usage() AS "notification_queue_ratio!",
                  COALESCE((SELECT GREATEST(extract(epoch FROM clock_timestamp() - since), 0) FROM oldest), 0)::float8
                      AS "xmin_age_seconds!",
                  (SELECT name FROM oldest) AS xmin_holder,
                  COALESCE((SELECT n_dead_tup::float8 / NULLIF(n_live_tup + n_dead_tup, 0)
                            FROM pg_stat_user_tables
                            -- Of a small table half may be dead between two looks of autovacuum.
                            WHERE relid = 'jobs'::regclass AND n_dead_tup > 1000), 0)
                      AS "dead_tuple_ratio!",
                  pg_table_size('jobs') AS "jobs_bytes!",
                  pg_indexes_size('jobs') AS "jobs_index_bytes!",
                  -- The lock of a row is that of a transaction, which has no database.
                  (SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE NOT l.granted AND a.datname = current_database()) AS "lock_waits!",
                  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                       ELSE pg_current_wal_lsn() END, '0/0')::float8
                      AS "wal_position_bytes!",
                  (SELECT count(*) FROM generate_series(1, 31) AS ahead
                   WHERE to_regclass('job_attempts_'
                       || to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD')) IS NOT NULL)
                      AS "history_days_ahead!",
                  (SELECT count(*) FROM running r
                   WHERE r.lease_until <= now()
                     AND NOT EXISTS (
                         SELECT 1 FROM queues p
                         WHERE p.name = r.queue
                           AND (queue_tokens(p.rate_per_second, p.tokens, p.tokens_at, now()) < 1
                                OR p.paused_at IS NOT NULL
                                   AND (p.paused_until IS NULL OR p.paused_until > now()))))
                      AS "without_lease!",
                  -- A worker's row comes with its first heartbeat, which may be later than its first claim.
                  (SELECT count(*) FROM running r
                   WHERE r.lease_until > now() AND r.started_at < now() - interval '15 seconds'
                     AND NOT EXISTS (
                         SELECT 1 FROM workers w
                         WHERE w.incarnation = r.lease_owner AND w.stopped_at IS NULL))
                      AS "unknown_leases!""#,
    )
    .fetch_one(connection)
    .await
}

/// Due jobs of one kind that no live worker of their queue can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnhandledKind {
    /// Where they wait.
    pub queue: String,
    /// Their kind.
    pub kind: String,
    /// How many.
    pub jobs: i64,
}

/// Lists the kinds of due jobs that no live worker claims, by queue and kind.
///
/// # Errors
/// Whatever the database says.
pub async fn find_unhandled_kinds(
    connection: &mut PgConnection,
) -> Result<Vec<UnhandledKind>, sqlx::Error> {
    // Counted first: workers are asked once a kind, however many jobs wait.
    sqlx::query_as!(
        UnhandledKind,
        r#"WITH due AS MATERIALIZED (
               SELECT queue, kind, kind_version, count(*) AS jobs FROM jobs
               WHERE state = 'ready' AND run_at <= now() GROUP BY queue, kind, kind_version
           )
           SELECT d.queue AS "queue!", d.kind AS "kind!", sum(d.jobs)::bigint AS "jobs!"
           FROM due d
           WHERE NOT EXISTS (
               SELECT 1 FROM workers w
               WHERE w.stopped_at IS NULL AND w.seen_at > now() - make_interval(secs => $1)
                 AND worker_reads(w, d.queue, d.kind, d.kind_version))
           GROUP BY d.queue, d.kind ORDER BY d.queue, d.kind"#,
        WORKER_LIVE_SECONDS,
    )
    .fetch_all(connection)
    .await
}

/// Dead jobs of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadJobs {
    /// The queue.
    pub queue: String,
    /// How many.
    pub jobs: i64,
}

/// Counts the dead jobs of every queue that has any.
///
/// # Errors
/// Whatever the database says.
pub async fn count_dead_jobs(connection: &mut PgConnection) -> Result<Vec<DeadJobs>, sqlx::Error> {
    sqlx::query_as!(
        DeadJobs,
        r#"SELECT queue, count(*) AS "jobs!" FROM jobs WHERE state = 'dead'
           GROUP BY queue ORDER BY queue"#,
    )
    .fetch_all(connection)
    .await
}

/// Measures how far the database's clock is ahead of this process's, in seconds; behind is negative.
///
/// Nothing decides by it: only the database's clock counts. Wrong by up to half of what the question
/// takes.
///
/// # Errors
/// Whatever the database says.
pub async fn clock_skew_seconds(connection: &mut PgConnection) -> Result<f64, sqlx::Error> {
    let before = unix_seconds();
    let there = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM clock_timestamp())::float8 AS "seconds!""#
    )
    .fetch_one(connection)
    .await?;
    let after = unix_seconds();
    Ok(there - f64::midpoint(before, after))
}

fn unix_seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// Sets the gauges of what this process has of its database: connections of its pool, and how its
/// clock differs. To be called before a scrape; what cannot be measured keeps its value.
pub async fn show_database_link(pool: &PgPool) {
    let (open, idle) = (pool.size(), pool.num_idle());
    let idle = u32::try_from(idle).unwrap_or(open).min(open);
    let connections = |state: &'static str, count: u32| {
        gauge!("carrel_database_pool_connections", "state" => state).set(count);
    };
    connections("in_use", open - idle);
    connections("idle", idle);
    connections("max", pool.options().get_max_connections());
    let measured = tokio::time::timeout(CONNECTION_WITHIN, async {
        clock_skew_seconds(&mut *pool.acquire().await?).await
    });
    if let Ok(Ok(seconds)) = measured.await {
        gauge!("carrel_clock_skew_seconds").set(seconds);
    }
}
