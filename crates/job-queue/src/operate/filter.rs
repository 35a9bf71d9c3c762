//! Which jobs an operator means.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_identity::{ExamSessionId, JobId, WorkerIncarnation};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::JobState;

/// Which jobs; an absent field does not narrow. The database's `job_matches_filter` decides, for lists,
/// counts, previews and operations alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobFilter {
    /// Only of this queue.
    pub queue: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only about this session.
    pub session_id: Option<ExamSessionId>,
    /// Only made at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only made before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only where this regular expression of PostgreSQL's matches `class: reason` of the latest
    /// failure.
    pub error: Option<String>,
    /// Only with a failure of this group, as [`crate::list_dead_groups`] names it.
    pub error_group: Option<String>,
    /// Only with a lease that one of these holds.
    pub workers: Option<Vec<WorkerIncarnation>>,
    /// Only with so many counted runs or more.
    pub attempts_from: Option<i32>,
    /// Only with so many counted runs or fewer.
    pub attempts_to: Option<i32>,
    /// Only where the payload holds these fields.
    pub payload: Option<Value>,
    /// Only these.
    pub ids: Option<Vec<JobId>>,
}

impl JobFilter {
    /// What `job_matches_filter` takes. Ids go beside it: the statement finds them by the primary key.
    pub(crate) fn wanted(&self) -> Value {
        let narrow = Self {
            ids: None,
            ..self.clone()
        };
        serde_json::to_value(narrow).expect("a filter is made of texts and times")
    }

    pub(crate) fn ids(&self) -> Option<Vec<Uuid>> {
        let ids = self.ids.as_ref()?;
        Some(ids.iter().map(JobId::as_uuid).collect())
    }
}

/// Tells what PostgreSQL has against a regular expression; `None` where it is one.
///
/// # Errors
/// Whatever else the database says.
pub async fn find_pattern_fault(
    connection: &mut PgConnection,
    pattern: &str,
) -> Result<Option<String>, sqlx::Error> {
    let tried = sqlx::query_scalar!(r#"SELECT '' ~ $1 AS "matches!""#, pattern);
    let Err(error) = tried.fetch_one(connection).await else {
        return Ok(None);
    };
    match error.as_database_error() {
        Some(refusal) if refusal.code().is_some_and(|code| code == "2201B") => {
            Ok(Some(refusal.message().to_owned()))
        }
        _ => Err(error),
    }
}

/// Reads the clock that decides.
///
/// # Errors
/// Whatever the database says.
pub async fn database_now(connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
        .fetch_one(connection)
        .await
}
