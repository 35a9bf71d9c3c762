//! What people did to jobs, queues, workers and schedules, as one list.

use chrono::{DateTime, Utc};
use serde_json::Value;
use session_identity::{ExamSessionId, JobId};
use sqlx::PgConnection;

/// Which rows of `job_actions`; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignedFilter {
    /// Only by one of these actors, as stored.
    pub actors: Option<Vec<String>>,
    /// Only to jobs about this session that are still there.
    pub session_id: Option<ExamSessionId>,
    /// Only to this job.
    pub job_id: Option<JobId>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Only before.
    pub before: Option<DateTime<Utc>>,
    /// Goes on after the row of this time and id.
    pub after: Option<(DateTime<Utc>, i64)>,
}

/// One row of `job_actions` that a person signed.
#[derive(Clone, Debug)]
pub struct SignedAction {
    /// The row.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The job it was done to, if to one.
    pub job_id: Option<JobId>,
    /// The session that the job is about, while the job is there.
    pub session_id: Option<ExamSessionId>,
    /// What, such as `job.retry`.
    pub verb: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Particulars, such as the queue or the worker.
    pub detail: Option<Value>,
}

/// Lists what people did, newest first, at most `limit`.
///
/// # Errors
/// Whatever the database says.
pub async fn list_signed_actions(
    connection: &mut PgConnection,
    filter: &SignedFilter,
    limit: i64,
) -> Result<Vec<SignedAction>, sqlx::Error> {
    let (after_at, after_id) = filter.after.unzip();
    // The order is that of the index job_actions_by_time.
    sqlx::query_as!(
        SignedAction,
        r#"SELECT a.id, a.at, a.job_id AS "job_id: JobId", j.session_id AS "session_id: ExamSessionId",
                  a.verb, a.actor, a.reason, a.detail
           FROM job_actions AS a LEFT JOIN jobs AS j ON j.id = a.job_id
           WHERE a.actor NOT LIKE 'system:%'
             AND ($1::text[] IS NULL OR a.actor = ANY ($1))
             AND ($2::uuid IS NULL OR j.session_id = $2)
             AND ($3::uuid IS NULL OR a.job_id = $3)
             AND ($4::timestamptz IS NULL OR a.at >= $4)
             AND ($5::timestamptz IS NULL OR a.at < $5)
             AND ($6::timestamptz IS NULL OR (a.at, a.id) < ($6, $7::bigint))
           ORDER BY a.at DESC, a.id DESC LIMIT $8"#,
        filter.actors.as_deref() as Option<&[String]>,
        filter.session_id.map(|id| id.as_uuid()),
        filter.job_id.map(|id| id.as_uuid()),
        filter.from,
        filter.before,
        after_at,
        after_id,
        limit,
    )
    .fetch_all(connection)
    .await
}
