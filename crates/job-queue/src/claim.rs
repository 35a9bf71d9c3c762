//! The statement that finishes and claims, and the rows it answers with.

use std::{sync::Arc, time::Duration};

use rand::seq::SliceRandom as _;
use session_identity::{ExamSessionId, JobId, WorkerIncarnation};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    finish::{Finish, Finished},
    job::JobState,
    payload::StoredPayload,
    terms::{ClaimTerms, KindTerms},
};

/// Runs that may end without an answer before the job is parked as dead.
pub(crate) const CRASH_LIMIT: i32 = 3;

/// Who claims: one start of one worker process.
#[derive(Clone, Debug)]
pub(crate) struct WorkerIdentity {
    pub(crate) incarnation: WorkerIncarnation,
    pub(crate) name: Arc<str>,
}

/// A row this worker now holds the lease of.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedJob {
    pub(crate) job_id: JobId,
    pub(crate) run_token: i64,
    pub(crate) kind: String,
    pub(crate) kind_version: i32,
    pub(crate) payload: StoredPayload,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) crash_count: i32,
    pub(crate) session_id: Option<ExamSessionId>,
    pub(crate) traceparent: Option<String>,
    pub(crate) waited: Duration,
    /// The one that it was claimed from; an operator may have moved it there.
    pub(crate) queue: String,
}

/// A job that no run will be tried for any more, since its last one crashed.
#[derive(Debug)]
pub(crate) struct ParkedJob {
    pub(crate) job_id: JobId,
    pub(crate) kind: String,
    /// Dead, or cancelled if that had been asked for.
    pub(crate) state: JobState,
}

/// What one exchange answered.
#[derive(Debug, Default)]
pub(crate) struct Exchanged {
    /// One answer per [`Finish`], in the order given.
    pub(crate) finished: Vec<Finished>,
    pub(crate) claimed: Vec<ClaimedJob>,
    /// Jobs that a crash has ended.
    pub(crate) parked: Vec<ParkedJob>,
    /// A queue with a limit has due jobs, and another claimer was counting it: to be asked again.
    pub(crate) is_contended: bool,
    /// In how long the rate of a queue with due jobs lets the next run start.
    pub(crate) held_for: Option<Duration>,
    /// Places under the limit over all queues are left to workers that may not have seen it.
    pub(crate) leaves_places: bool,
}

struct ExchangeRow {
    part: String,
    id: Uuid,
    run_token: i64,
    state: String,
    kind: Option<String>,
    kind_version: Option<i32>,
    payload: Option<String>,
    attempt: Option<i32>,
    max_attempts: Option<i32>,
    crash_count: Option<i32>,
    session_id: Option<Uuid>,
    traceparent: Option<String>,
    /// Since when it was due; of a queue that is held, in how long its next run may start.
    waited_seconds: Option<f64>,
    queue: Option<String>,
}

/// Writes the given outcomes and claims up to `limit` jobs, in one statement.
///
/// Cancellation: if the future is dropped the statement may still commit; outcomes may be sent
/// again (the token refuses the second), and jobs claimed that way come back when their lease ends.
pub(crate) async fn exchange(
    connection: &mut PgConnection,
    worker: &WorkerIdentity,
    terms: &ClaimTerms,
    finishes: &[Finish],
    limit: usize,
) -> Result<Exchanged, sqlx::Error> {
    let ids: Vec<Uuid> = finishes
        .iter()
        .map(|finish| finish.job_id.as_uuid())
        .collect();
    let tokens: Vec<i64> = finishes.iter().map(|finish| finish.run_token).collect();
    let verbs: Vec<&str> = finishes.iter().map(|finish| finish.outcome.verb).collect();
    let delays: Vec<i64> = finishes
        .iter()
        .map(|finish| finish.outcome.delay_ms)
        .collect();
    let classes: Vec<Option<&str>> = finishes
        .iter()
        .map(|finish| finish.outcome.class.as_deref())
        .collect();
    let reasons: Vec<Option<&str>> = finishes
        .iter()
        .map(|finish| finish.outcome.reason.as_deref())
        .collect();
    // In random order, so that one queue's backlog cannot starve another's.
    let mut queues: Vec<&str> = terms.queues.iter().map(String::as_str).collect();
    queues.shuffle(&mut rand::rng());
    let rows = sqlx::query_file_as!(
        ExchangeRow,
        "queries/exchange.sql",
        &ids,
        &tokens,
        &verbs as &[&str],
        &delays,
        &classes as &[Option<&str>],
        &reasons as &[Option<&str>],
        worker.incarnation.as_uuid(),
        &*worker.name,
        &queues as &[&str],
        &column(terms, |kind| kind.name) as &[&str],
        &column(terms, |kind| kind.timeout_ms),
        i64::try_from(limit).unwrap_or(i64::MAX),
        terms.lease_ms,
        CRASH_LIMIT,
        terms.fence_ms,
        &column(terms, |kind| kind.oldest_version),
        &column(terms, |kind| kind.newest_version),
    )
    .fetch_all(connection)
    .await?;
    sort_answer(rows, finishes)
}

fn column<T>(terms: &ClaimTerms, value: impl Fn(&KindTerms) -> T) -> Vec<T> {
    terms.kinds.iter().map(value).collect()
}

fn sort_answer(rows: Vec<ExchangeRow>, finishes: &[Finish]) -> Result<Exchanged, sqlx::Error> {
    let mut answer = Exchanged {
        finished: vec![Finished::Stale; finishes.len()],
        ..Exchanged::default()
    };
    for row in rows {
        let job_id = JobId::from_uuid(row.id);
        match row.part.as_str() {
            "claimed" => answer.claimed.push(claimed_job(row)?),
            "parked" => answer.parked.push(ParkedJob {
                job_id,
                state: job_state(&row)?,
                kind: row.kind.ok_or_else(|| unreadable("kind"))?,
            }),
            "contended" => answer.is_contended = true,
            "held" => answer.held_for = Some(sooner(answer.held_for, held_for(&row))),
            "left" => answer.leaves_places = true,
            _ => {
                let state = job_state(&row)?;
                let place = finishes
                    .iter()
                    .position(|finish| finish.job_id == job_id && finish.run_token == row.run_token)
                    .ok_or_else(|| unreadable("id"))?;
                answer.finished[place] = Finished::Recorded(state);
            }
        }
    }
    Ok(answer)
}

fn job_state(row: &ExchangeRow) -> Result<JobState, sqlx::Error> {
    JobState::from_stored(&row.state).ok_or_else(|| unreadable("state"))
}

fn claimed_job(row: ExchangeRow) -> Result<ClaimedJob, sqlx::Error> {
    let waited = seconds(&row);
    Ok(ClaimedJob {
        job_id: JobId::from_uuid(row.id),
        run_token: row.run_token,
        kind: row.kind.ok_or_else(|| unreadable("kind"))?,
        kind_version: row.kind_version.ok_or_else(|| unreadable("kind_version"))?,
        payload: StoredPayload(row.payload.ok_or_else(|| unreadable("payload"))?),
        attempt: row.attempt.ok_or_else(|| unreadable("attempt"))?,
        max_attempts: row.max_attempts.ok_or_else(|| unreadable("max_attempts"))?,
        crash_count: row.crash_count.ok_or_else(|| unreadable("crash_count"))?,
        session_id: row.session_id.map(ExamSessionId::from_uuid),
        traceparent: row.traceparent,
        waited,
        queue: row.queue.ok_or_else(|| unreadable("queue"))?,
    })
}

fn seconds(row: &ExchangeRow) -> Duration {
    Duration::try_from_secs_f64(row.waited_seconds.unwrap_or(0.0)).unwrap_or_default()
}

/// More than a duration holds is a long time, and no start at once.
fn held_for(row: &ExchangeRow) -> Duration {
    let wait = Duration::try_from_secs_f64(row.waited_seconds.unwrap_or(0.0));
    wait.unwrap_or(Duration::MAX)
}

fn sooner(known: Option<Duration>, other: Duration) -> Duration {
    known.map_or(other, |known| known.min(other))
}

fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnNotFound(format!("jobs.{column}"))
}

/// Gives back running jobs of this worker that it does not know of. Returns how many.
pub(crate) async fn release_unknown(
    connection: &mut PgConnection,
    worker: &WorkerIdentity,
    terms: &ClaimTerms,
    known: &(Vec<Uuid>, Vec<i64>),
) -> Result<u64, sqlx::Error> {
    // A first claim gives its attempt back. One that took over a crashed run charged none, and it
    // cannot be told apart here: such a job gains one attempt, which harms nobody.
    let released = sqlx::query!(
        "UPDATE jobs SET
            state = 'ready', attempt = GREATEST(attempt - 1, 0),
            lease_owner = NULL, lease_until = NULL, deadline_at = NULL
         WHERE queue = ANY($2) AND state = 'running' AND lease_owner = $1
           AND NOT EXISTS (
               SELECT 1 FROM unnest($3::uuid[], $4::bigint[]) AS k(id, run_token)
               WHERE k.id = jobs.id AND k.run_token = jobs.run_token)",
        worker.incarnation.as_uuid(),
        &terms.queues,
        &known.0,
        &known.1,
    )
    .execute(connection)
    .await?;
    Ok(released.rows_affected())
}
