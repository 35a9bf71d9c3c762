//! What people did to sessions: the transitions and extensions that they signed, newest first.

use chrono::{DateTime, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, JobId, UserId};
use sqlx::PgConnection;

use crate::error::LoadError;

/// Which rows; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignedFilter {
    /// Only by one of these actors, as stored.
    pub actors: Option<Vec<String>>,
    /// Only of this session.
    pub session_id: Option<ExamSessionId>,
    /// Only made in this job; extensions are made in none.
    pub job_id: Option<JobId>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Only before.
    pub before: Option<DateTime<Utc>>,
    /// Goes on after the row of this time and id.
    pub after: Option<(DateTime<Utc>, i64)>,
}

/// One row of `session_transitions` that a person signed.
#[derive(Clone, Debug)]
pub struct SignedTransition {
    /// The row.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The session.
    pub session_id: ExamSessionId,
    /// The state before; `None` for the first row of a session.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// What led to it.
    pub cause: String,
    /// Who.
    pub actor: String,
    /// The job in which it was made.
    pub job_id: Option<JobId>,
    /// Why, where it ended the session.
    pub reason: Option<String>,
}

/// One row of `session_extensions` that a person signed.
#[derive(Clone, Debug)]
pub struct SignedExtension {
    /// The row.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The session.
    pub session_id: ExamSessionId,
    /// By how many seconds the deadline moved.
    pub by_seconds: i32,
    /// The deadline before.
    pub previous_end: DateTime<Utc>,
    /// The deadline after.
    pub new_end: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The key under which it happened once.
    pub idempotency_key: String,
}

/// Lists the transitions that people made, newest first, at most `limit`.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn list_signed_transitions(
    conn: &mut PgConnection,
    filter: &SignedFilter,
    limit: i64,
) -> Result<Vec<SignedTransition>, LoadError> {
    let (after_at, after_id) = filter.after.unzip();
    // The first condition is word for word that of the index session_transitions_signed.
    let rows = sqlx::query_as!(
        SignedTransition,
        r#"SELECT t.id, t.at, t.session_id AS "session_id: ExamSessionId", t.from_state, t.to_state,
                  t.cause, t.actor, t.job_id AS "job_id: JobId",
                  CASE t.to_state WHEN 'terminated' THEN s.ending_note
                                  WHEN 'failed' THEN s.failure_reason END AS reason
           FROM session_transitions AS t JOIN exam_sessions AS s ON s.id = t.session_id
           WHERE t.actor NOT LIKE 'system:%'
             AND ($1::text[] IS NULL OR t.actor = ANY ($1))
             AND ($2::uuid IS NULL OR t.session_id = $2)
             AND ($3::uuid IS NULL OR t.job_id = $3)
             AND ($4::timestamptz IS NULL OR t.at >= $4)
             AND ($5::timestamptz IS NULL OR t.at < $5)
             AND ($6::timestamptz IS NULL OR (t.at, t.id) < ($6, $7::bigint))
           ORDER BY t.at DESC, t.id DESC LIMIT $8"#,
        filter.actors.as_deref() as Option<&[String]>,
        filter.session_id.map(|id| id.as_uuid()),
        filter.job_id.map(|id| id.as_uuid()),
        filter.from,
        filter.before,
        after_at,
        after_id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Lists the extensions that people granted, newest first, at most `limit`; none if a job is named.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn list_signed_extensions(
    conn: &mut PgConnection,
    filter: &SignedFilter,
    limit: i64,
) -> Result<Vec<SignedExtension>, LoadError> {
    if filter.job_id.is_some() {
        return Ok(Vec::new());
    }
    let (after_at, after_id) = filter.after.unzip();
    // The order is that of the index session_extensions_by_time.
    let rows = sqlx::query_as!(
        SignedExtension,
        r#"SELECT id, at, session_id AS "session_id: ExamSessionId", by_seconds, previous_end, new_end,
                  actor, reason, idempotency_key
           FROM session_extensions
           WHERE actor NOT LIKE 'system:%'
             AND ($1::text[] IS NULL OR actor = ANY ($1))
             AND ($2::uuid IS NULL OR session_id = $2)
             AND ($3::timestamptz IS NULL OR at >= $3)
             AND ($4::timestamptz IS NULL OR at < $4)
             AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6::bigint))
           ORDER BY at DESC, id DESC LIMIT $7"#,
        filter.actors.as_deref() as Option<&[String]>,
        filter.session_id.map(|id| id.as_uuid()),
        filter.from,
        filter.before,
        after_at,
        after_id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Loads whose each of these sessions is and which environment it has; unknown ids are left out.
///
/// # Errors
/// [`LoadError`] if the database fails or a row contradicts the schema.
pub async fn load_session_identities(
    conn: &mut PgConnection,
    session_ids: &[ExamSessionId],
) -> Result<Vec<(ExamSessionId, UserId, ExecutionEnvironmentId)>, LoadError> {
    let ids: Vec<_> = session_ids.iter().map(ExamSessionId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: ExamSessionId", user_id, environment_id AS "environment_id: ExecutionEnvironmentId"
           FROM exam_sessions WHERE id = ANY ($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let user_id = UserId::parse(&row.user_id).map_err(|_| LoadError::Inconsistent {
                table: "exam_sessions",
                column: "user_id",
                session_id: row.id,
                value: row.user_id.clone(),
            })?;
            Ok((row.id, user_id, row.environment_id))
        })
        .collect()
}
