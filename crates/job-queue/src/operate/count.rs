//! Counting jobs by what they have in common.

use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::JobFilter;
use crate::{BulkVerb, JobState};

/// What jobs are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// Their state.
    State,
    /// Their queue.
    Queue,
    /// Their kind.
    Kind,
    /// The group of their latest failure.
    Error,
}

/// One group of [`count_jobs`]. What was not counted by is `None`.
#[derive(Clone, Debug, Serialize)]
pub struct JobCount {
    /// The queue.
    pub queue: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The state.
    pub state: Option<String>,
    /// The group of the latest failure; jobs that never failed have none.
    pub error_group: Option<String>,
    /// The class and the reason of one of them.
    pub error: Option<String>,
    /// How many jobs.
    pub count: i64,
}

/// Counts jobs by each combination of what is asked for.
///
/// # Errors
/// Whatever the database says.
pub async fn count_jobs(
    connection: &mut PgConnection,
    filter: &JobFilter,
    by: &[CountBy],
) -> Result<Vec<JobCount>, sqlx::Error> {
    sqlx::query_as!(
        JobCount,
        r#"WITH counted AS (
               SELECT CASE WHEN $3 THEN j.queue END AS queue, CASE WHEN $4 THEN j.kind END AS kind,
                      CASE WHEN $5 THEN j.state END AS state,
                      CASE WHEN $6 AND j.outcome_class IS NOT NULL
                           THEN job_error_group(j.kind, j.outcome_class, j.outcome_reason)
                           END AS error_group,
                      CASE WHEN $6 THEN j.outcome_class || ': ' || j.outcome_reason END AS error
               FROM jobs j
               WHERE job_matches_filter(j, $1) AND ($2::uuid[] IS NULL OR j.id = ANY($2))
           )
           SELECT queue, kind, state, error_group, min(error) AS error, count(*) AS "count!"
           FROM counted GROUP BY queue, kind, state, error_group
           ORDER BY queue, kind, state, count(*) DESC, error_group"#,
        filter.wanted(),
        filter.ids() as Option<Vec<Uuid>>,
        by.contains(&CountBy::Queue),
        by.contains(&CountBy::Kind),
        by.contains(&CountBy::State),
        by.contains(&CountBy::Error),
    )
    .fetch_all(connection)
    .await
}

/// How many jobs are meant, and how many of them a verb would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FitCounts {
    pub(crate) matched: i64,
    pub(crate) fitting: i64,
    /// The states of the rest.
    pub(crate) unfit: Vec<(String, i64)>,
}

/// Counts the jobs that are meant by whether the verb fits their state.
///
/// # Errors
/// Whatever the database says.
pub(crate) async fn count_fitting(
    connection: &mut PgConnection,
    filter: &JobFilter,
    verb: &BulkVerb,
) -> Result<FitCounts, sqlx::Error> {
    let mut counts = FitCounts::default();
    for row in count_jobs(connection, filter, &[CountBy::State]).await? {
        let word = row.state.unwrap_or_default();
        counts.matched += row.count;
        if JobState::from_stored(&word).is_some_and(|state| verb.fits(state)) {
            counts.fitting += row.count;
        } else {
            counts.unfit.push((word, row.count));
        }
    }
    Ok(counts)
}
