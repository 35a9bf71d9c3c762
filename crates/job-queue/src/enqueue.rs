//! The one way in: an insert in the caller's transaction.

use std::collections::HashSet;

use serde::Serialize;
use session_identity::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    job::{Job, JobKind, NewJob, RunAt},
    payload::holds_nul,
};

/// Inserts lose and look-ups miss in turn only while others finish and enqueue the same key.
const DUPLICATE_TRIES: usize = 20;

/// What the caller says about a job beside its payload.
#[derive(Clone, Debug)]
pub struct EnqueueOptions {
    /// When it may start.
    pub run_at: RunAt,
    /// Larger goes first; 0 is usual.
    pub priority: i16,
    /// The W3C `traceparent` of whoever asks.
    pub trace: Option<String>,
    /// Who asks, such as `api` or `staff:dana`.
    pub enqueued_by: String,
}

impl Default for EnqueueOptions {
    fn default() -> Self {
        let enqueued_by = "unknown".to_owned();
        Self {
            run_at: RunAt::Now,
            priority: 0,
            trace: None,
            enqueued_by,
        }
    }
}

/// What became of an enqueue. Both leave the caller's transaction usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enqueued {
    /// The row is new; it exists once the caller commits.
    New(JobId),
    /// A ready or running job has the same key; nothing was written.
    AlreadyPresent(JobId),
}

impl Enqueued {
    /// Returns the id of the job that will do the work.
    pub const fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::AlreadyPresent(id) => id,
        }
    }
}

/// Why a job was not enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The payload does not serialize.
    #[error("write the payload of a {kind} job")]
    Payload {
        /// The job's kind.
        kind: JobKind,
        /// What serde said.
        #[source]
        source: serde_json::Error,
    },
    /// The payload or the key holds a NUL, which the database stores nowhere. Nothing was sent.
    #[error("store a {kind} job: its payload or its key holds a NUL")]
    Nul {
        /// The job's kind.
        kind: JobKind,
    },
    /// Jobs with this key came and went faster than they could be found.
    #[error("settle who holds the key {key}")]
    Contended {
        /// The contended key.
        key: String,
    },
    /// The database refused.
    #[error("insert a job")]
    Database(#[from] sqlx::Error),
}

/// Inserts a job in the caller's transaction; it exists if and only if the caller commits.
///
/// # Errors
/// [`EnqueueError`]; after [`EnqueueError::Database`] the transaction is lost.
pub async fn enqueue<J: Job>(
    connection: &mut PgConnection,
    job: &J,
    options: &EnqueueOptions,
) -> Result<Enqueued, EnqueueError> {
    enqueue_raw(connection, &new_job(job, options)?).await
}

/// Inserts jobs by one statement; the answers are in the order of the jobs.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_many<J: Job>(
    connection: &mut PgConnection,
    jobs: &[J],
    options: &EnqueueOptions,
) -> Result<Vec<Enqueued>, EnqueueError> {
    let jobs = jobs
        .iter()
        .map(|job| new_job(job, options))
        .collect::<Result<Vec<_>, _>>()?;
    insert_jobs(connection, &jobs).await
}

/// Inserts one job that has already lost its type.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_raw(
    connection: &mut PgConnection,
    job: &NewJob,
) -> Result<Enqueued, EnqueueError> {
    insert_job(connection, job).await
}

fn new_job<J: Job>(job: &J, options: &EnqueueOptions) -> Result<NewJob, EnqueueError> {
    let kind = JobKind(J::KIND);
    Ok(NewJob {
        kind,
        kind_version: J::VERSION,
        queue: J::QUEUE.to_owned(),
        payload: serde_json::to_value(job)
            .map_err(|source| EnqueueError::Payload { kind, source })?,
        key: job.key(),
        run_at: options.run_at,
        priority: options.priority,
        max_attempts: J::MAX_ATTEMPTS,
        session_id: job.session_id(),
        trace: options.trace.clone(),
        enqueued_by: options.enqueued_by.clone(),
    })
}

/// Refuses what the database would refuse at the price of the caller's transaction.
fn check(job: &NewJob) -> Result<(), EnqueueError> {
    let kind = job.kind;
    let key_holds_nul = job.key.as_ref().is_some_and(|key| key.contains('\0'));
    if key_holds_nul || holds_nul(&job.payload) {
        return Err(EnqueueError::Nul { kind });
    }
    Ok(())
}

async fn insert_job(connection: &mut PgConnection, job: &NewJob) -> Result<Enqueued, EnqueueError> {
    check(job)?;
    let id = JobId::generate().as_uuid();
    let inserted = insert_rows(connection, &[id], std::slice::from_ref(job)).await?;
    match &job.key {
        Some(key) if inserted.is_empty() => settle_duplicate(connection, id, job, key).await,
        _ => Ok(Enqueued::New(JobId::from_uuid(id))),
    }
}

async fn insert_jobs(
    connection: &mut PgConnection,
    jobs: &[NewJob],
) -> Result<Vec<Enqueued>, EnqueueError> {
    jobs.iter().try_for_each(check)?;
    let ids: Vec<Uuid> = jobs.iter().map(|_| JobId::generate().as_uuid()).collect();
    let inserted = insert_rows(connection, &ids, jobs).await?;
    let mut answers = Vec::with_capacity(jobs.len());
    for (id, job) in ids.into_iter().zip(jobs) {
        answers.push(match &job.key {
            Some(key) if !inserted.contains(&id) => {
                settle_duplicate(connection, id, job, key).await?
            }
            _ => Enqueued::New(JobId::from_uuid(id)),
        });
    }
    Ok(answers)
}

/// Finds the live job that holds the key, or takes the key if its holder has just finished.
async fn settle_duplicate(
    connection: &mut PgConnection,
    id: Uuid,
    job: &NewJob,
    key: &str,
) -> Result<Enqueued, EnqueueError> {
    for _ in 0..DUPLICATE_TRIES {
        if let Some(holder) = find_live_by_key(connection, key).await? {
            return Ok(Enqueued::AlreadyPresent(holder));
        }
        let again = insert_rows(connection, &[id], std::slice::from_ref(job)).await?;
        if !again.is_empty() {
            return Ok(Enqueued::New(JobId::from_uuid(id)));
        }
    }
    Err(EnqueueError::Contended {
        key: key.to_owned(),
    })
}

async fn find_live_by_key(
    connection: &mut PgConnection,
    key: &str,
) -> Result<Option<JobId>, sqlx::Error> {
    // The predicate is the partial unique index's own, so this reads at most one entry.
    let id = sqlx::query_scalar!(
        "SELECT id FROM jobs
         WHERE idempotency_key = $1 AND state IN ('ready', 'running')",
        key,
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(JobId::from_uuid))
}

async fn insert_rows(
    connection: &mut PgConnection,
    ids: &[Uuid],
    jobs: &[NewJob],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.0).collect();
    let versions: Vec<i32> = jobs.iter().map(|job| job.kind_version).collect();
    let queues: Vec<&str> = jobs.iter().map(|job| job.queue.as_str()).collect();
    let payloads: Vec<_> = jobs.iter().map(|job| job.payload.clone()).collect();
    let keys: Vec<Option<&str>> = jobs.iter().map(|job| job.key.as_deref()).collect();
    let delays: Vec<i64> = jobs.iter().map(|job| job.run_at.delay_ms()).collect();
    let priorities: Vec<i16> = jobs.iter().map(|job| job.priority).collect();
    let limits: Vec<i32> = jobs.iter().map(|job| job.max_attempts).collect();
    let sessions: Vec<Option<Uuid>> = jobs
        .iter()
        .map(|job| job.session_id.map(|id| id.as_uuid()))
        .collect();
    let traces: Vec<Option<&str>> = jobs.iter().map(|job| job.trace.as_deref()).collect();
    let origins: Vec<&str> = jobs.iter().map(|job| job.enqueued_by.as_str()).collect();
    // A duplicate key is an answer, not an error: an error would abort the caller's transaction.
    let inserted = sqlx::query_scalar!(
        "INSERT INTO jobs (id, kind, kind_version, queue, payload, idempotency_key, run_at,
                           priority, max_attempts, session_id, traceparent, enqueued_by)
         SELECT t.id, t.kind, t.version, t.queue, t.payload, t.key,
                now() + t.delay_ms * interval '1 millisecond',
                t.priority, t.max_attempts, t.session_id, t.trace, t.origin
         FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::jsonb[], $6::text[],
                     $7::bigint[], $8::smallint[], $9::int[], $10::uuid[], $11::text[], $12::text[])
              AS t(id, kind, version, queue, payload, key, delay_ms, priority, max_attempts,
                   session_id, trace, origin)
         ON CONFLICT (idempotency_key)
            WHERE state IN ('ready', 'running') AND idempotency_key IS NOT NULL DO NOTHING
         RETURNING id",
        ids,
        &kinds as &[&str],
        &versions,
        &queues as &[&str],
        &payloads,
        &keys as &[Option<&str>],
        &delays,
        &priorities,
        &limits,
        &sessions as &[Option<Uuid>],
        &traces as &[Option<&str>],
        &origins as &[&str],
    )
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().collect())
}
