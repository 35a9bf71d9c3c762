//! Jobs and their attempts, as people read them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::{JobId, WorkerIncarnation};
use sqlx::PgConnection;
use uuid::Uuid;

use super::JobFilter;
use crate::payload::StoredPayload;

/// One row of `jobs`.
#[derive(Clone, Debug, Serialize)]
pub struct JobRecord {
    /// The job.
    pub id: Uuid,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its payload's version.
    pub kind_version: i32,
    /// Its payload: ids only. A text, where the stored JSON nests too deep or counts too far.
    pub payload: Value,
    /// Its state, one of [`crate::JobState`]'s words.
    pub state: String,
    /// Larger goes first.
    pub priority: i16,
    /// Not before this.
    pub run_at: DateTime<Utc>,
    /// Counted runs so far.
    pub attempt: i32,
    /// Counted runs before it is dead.
    pub max_attempts: i32,
    /// Runs that ended without an answer.
    pub crash_count: i32,
    /// Runs in a row that said that it was too early.
    pub snoozes: i32,
    /// The latest run's fencing token; 0 before the first.
    pub run_token: i64,
    /// The worker that holds the lease.
    pub lease_owner: Option<Uuid>,
    /// How long the lease holds.
    pub lease_until: Option<DateTime<Utc>>,
    /// How long this run may take.
    pub deadline_at: Option<DateTime<Utc>>,
    /// When somebody asked for it to be cancelled.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The deduplication key.
    pub idempotency_key: Option<String>,
    /// The session it is about.
    pub session_id: Option<Uuid>,
    /// The trace of whoever enqueued it.
    pub traceparent: Option<String>,
    /// Who enqueued it.
    pub enqueued_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When the latest run started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached a final state.
    pub finished_at: Option<DateTime<Utc>>,
    /// The class of the latest failure.
    pub outcome_class: Option<String>,
    /// Its reason.
    pub outcome_reason: Option<String>,
}

/// One row of `job_attempts`: how one run ended.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRecord {
    /// The run's fencing token.
    pub run_token: i64,
    /// The counted run it was.
    pub attempt: i32,
    /// The worker's start that ran it.
    pub worker: Uuid,
    /// The worker's name.
    pub worker_name: Option<String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When its end was written.
    pub finished_at: DateTime<Utc>,
    /// `done`, `retry`, `snooze`, `dead`, `cancelled`, `released` or `lease_expired`.
    pub outcome: String,
    /// The class of its failure.
    pub error_class: Option<String>,
    /// The failure's reason.
    pub error: Option<String>,
}

/// Reads whole jobs, `j` in what follows: which of them, and in what order.
macro_rules! job_records {
    ($which:literal, $($value:expr),* $(,)?) => {
        sqlx::query_as!(
            JobRecord,
            r#"SELECT id, queue, kind, kind_version, payload::text AS "payload!: StoredPayload",
                      state, priority, run_at, attempt, max_attempts, crash_count, snoozes,
                      run_token, lease_owner, lease_until, deadline_at, cancel_requested_at,
                      idempotency_key, session_id, traceparent, enqueued_by, created_at,
                      started_at, finished_at, outcome_class, outcome_reason
               FROM jobs j
               "# + $which,
            $($value),*
        )
    };
}

/// Lists jobs, newest first. `after` is the id of the last job of the page before.
///
/// # Errors
/// Whatever the database says.
pub async fn list_jobs(
    connection: &mut PgConnection,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<JobRecord>, sqlx::Error> {
    // Ids are UUIDv7: their order is the order of making, so they serve as the cursor.
    job_records!(
        "WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR id = ANY($2))
           AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4",
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
        after.map(|id| id.as_uuid()),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Loads one job; `None` if there is no such row (any more).
///
/// # Errors
/// Whatever the database says.
pub async fn load_job(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Option<JobRecord>, sqlx::Error> {
    job_records!("WHERE id = $1", id.as_uuid())
        .fetch_optional(connection)
        .await
}

/// Lists how the runs of a job ended, oldest first.
///
/// # Errors
/// Whatever the database says.
pub async fn job_attempts(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Vec<AttemptRecord>, sqlx::Error> {
    sqlx::query_as!(
        AttemptRecord,
        "SELECT run_token, attempt, worker, worker_name, started_at, finished_at, outcome,
                error_class, error
         FROM job_attempts WHERE job_id = $1 ORDER BY run_token",
        id.as_uuid(),
    )
    .fetch_all(connection)
    .await
}

/// Lists jobs, oldest first. `after` is the id of the last job of the page before.
///
/// # Errors
/// Whatever the database says.
pub async fn export_jobs(
    connection: &mut PgConnection,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<JobRecord>, sqlx::Error> {
    job_records!(
        "WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR id = ANY($2))
           AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT $4",
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
        after.map(|id| id.as_uuid()),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Lists the jobs whose lease a worker holds, oldest run first.
///
/// # Errors
/// Whatever the database says.
pub async fn jobs_of_worker(
    connection: &mut PgConnection,
    worker: WorkerIncarnation,
) -> Result<Vec<JobRecord>, sqlx::Error> {
    job_records!(
        "WHERE state = 'running' AND lease_owner = $1 ORDER BY started_at, id",
        worker.as_uuid(),
    )
    .fetch_all(connection)
    .await
}
