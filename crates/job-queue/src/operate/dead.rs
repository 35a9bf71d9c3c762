//! Dead jobs, by what killed them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_identity::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::JobFilter;

/// Dead jobs of one kind that failed alike.
#[derive(Clone, Debug, Serialize)]
pub struct DeadGroup {
    /// The group's name: eight hexadecimal digits, the same as long as kind, class and pattern are.
    pub group: String,
    /// Their kind.
    pub kind: String,
    /// The class of their failures.
    pub class: Option<String>,
    /// Their reasons, with numbers, ids, addresses and quoted words as question marks.
    pub pattern: Option<String>,
    /// How many.
    pub count: i64,
    /// When the first of them died.
    pub oldest: DateTime<Utc>,
    /// When the last of them died.
    pub newest: DateTime<Utc>,
    /// The last of them.
    pub sample_id: JobId,
    /// Its reason.
    pub sample_reason: Option<String>,
}

/// Groups the dead jobs that are meant, the largest group first. The filter's own state does not
/// count.
///
/// # Errors
/// Whatever the database says.
pub async fn list_dead_groups(
    connection: &mut PgConnection,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<DeadGroup>, sqlx::Error> {
    let dead = JobFilter {
        state: Some(crate::JobState::Dead),
        ..filter.clone()
    };
    sqlx::query_as!(
        DeadGroup,
        r#"SELECT job_error_group(j.kind, j.outcome_class, j.outcome_reason) AS "group!",
                  j.kind, min(j.outcome_class) AS class,
                  min(job_error_pattern(j.outcome_reason)) AS pattern, count(*) AS "count!",
                  min(j.finished_at) AS "oldest!", max(j.finished_at) AS "newest!",
                  (array_agg(j.id ORDER BY j.finished_at DESC, j.id))[1] AS "sample_id!: JobId",
                  (array_agg(j.outcome_reason ORDER BY j.finished_at DESC, j.id))[1]
                      AS sample_reason
           FROM jobs j
           WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR j.id = ANY($2))
           GROUP BY 1, j.kind ORDER BY count(*) DESC, 1 LIMIT $3"#,
        dead.wanted(),
        dead.ids() as Option<Vec<Uuid>>,
        limit,
    )
    .fetch_all(connection)
    .await
}
