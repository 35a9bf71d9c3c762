//! One row of `exam_sessions` as a record.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};
use sqlx::PgConnection;

use crate::error::LoadError;
use crate::record::{Ending, EndingKind, FailureRecord, SessionRecord};

/// A row as the driver decodes it: only types, no meaning yet.
pub(super) struct SessionRow {
    pub(super) id: ExamSessionId,
    pub(super) user_id: String,
    pub(super) environment_id: ExecutionEnvironmentId,
    pub(super) exam_name: String,
    pub(super) exam_version: i32,
    pub(super) state: String,
    pub(super) version: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) initializing_at: Option<DateTime<Utc>>,
    pub(super) ready_at: Option<DateTime<Utc>>,
    pub(super) running_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) ready_by: DateTime<Utc>,
    pub(super) duration_ms: Option<i64>,
    pub(super) ends_at: Option<DateTime<Utc>>,
    pub(super) absolute_end: DateTime<Utc>,
    pub(super) ending_kind: Option<String>,
    pub(super) ending_actor: Option<String>,
    pub(super) ending_note: Option<String>,
    pub(super) failure_class: Option<String>,
    pub(super) failure_code: Option<String>,
    pub(super) failure_reason: Option<String>,
    pub(super) failure_evidence: Option<Value>,
}

/// Spells the columns once for every statement that returns whole rows: a statement is what
/// comes before (`WITH …`), the column list, and what comes after (`FROM … AS s …`).
macro_rules! session_rows {
    ($before:tt, $after:tt $(, $argument:expr)* $(,)?) => {
        ::sqlx::query_as!(
            $crate::store::session::SessionRow,
            $before
                + r#"
            SELECT s.id AS "id!: ExamSessionId", s.user_id AS "user_id!",
                   s.environment_id AS "environment_id!: ExecutionEnvironmentId",
                   s.exam_name AS "exam_name!", s.exam_version AS "exam_version!",
                   s.state AS "state!", s.version AS "version!", s.created_at AS "created_at!",
                   s.initializing_at AS "initializing_at?", s.ready_at AS "ready_at?",
                   s.running_at AS "running_at?", s.ended_at AS "ended_at?",
                   s.ready_by AS "ready_by!",
                   (EXTRACT(EPOCH FROM s.duration) * 1000)::bigint AS "duration_ms?",
                   s.ends_at AS "ends_at?", s.absolute_end AS "absolute_end!",
                   s.ending_kind AS "ending_kind?", s.ending_actor AS "ending_actor?",
                   s.ending_note AS "ending_note?", s.failure_class AS "failure_class?",
                   s.failure_code AS "failure_code?", s.failure_reason AS "failure_reason?",
                   s.failure_evidence AS "failure_evidence?"
            "#
                + $after
            $(, $argument)*
        )
    };
}
pub(super) use session_rows;

impl SessionRow {
    /// Gives the row its meaning, or says which column contradicts the schema.
    pub(super) fn into_record(self) -> Result<SessionRecord, LoadError> {
        let wrong = |column, value: &str| LoadError::Inconsistent {
            table: "exam_sessions",
            column,
            session_id: self.id,
            value: value.to_owned(),
        };
        let state = self
            .state
            .parse()
            .map_err(|_| wrong("state", &self.state))?;
        let user_id = UserId::parse(&self.user_id).map_err(|_| wrong("user_id", &self.user_id))?;
        let duration = match self.duration_ms {
            None => None,
            Some(ms) => Some(Duration::from_millis(
                u64::try_from(ms).map_err(|_| wrong("duration", &ms.to_string()))?,
            )),
        };
        let ending = match &self.ending_kind {
            None => None,
            Some(word) => Some(Ending {
                kind: EndingKind::from_word(word).ok_or_else(|| wrong("ending_kind", word))?,
                note: self.ending_note,
            }),
        };
        Ok(SessionRecord {
            id: self.id,
            user_id,
            environment_id: self.environment_id,
            exam_name: self.exam_name,
            exam_version: self.exam_version,
            state,
            version: self.version,
            created_at: self.created_at,
            initializing_at: self.initializing_at,
            ready_at: self.ready_at,
            running_at: self.running_at,
            ended_at: self.ended_at,
            ready_by: self.ready_by,
            duration,
            ends_at: self.ends_at,
            absolute_end: self.absolute_end,
            ending,
            ending_actor: self.ending_actor,
            failure: self.failure_code.map(|code| FailureRecord {
                class: self.failure_class.unwrap_or_default(),
                code,
                reason: self.failure_reason.unwrap_or_default(),
                evidence: self.failure_evidence.unwrap_or_default(),
            }),
        })
    }
}

/// Loads a session without locking it; `None` if there is none.
///
/// # Errors
/// [`LoadError`] if the database fails or a row contradicts the schema.
pub async fn load_session(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<SessionRecord>, LoadError> {
    session_rows!(
        "",
        "FROM exam_sessions AS s WHERE s.id = $1",
        session_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?
    .map(SessionRow::into_record)
    .transpose()
}

/// Locks a session until the caller's transaction ends, and loads it; `None` if there is none.
///
/// # Errors
/// [`LoadError`] if the database fails or a row contradicts the schema.
pub async fn lock_session(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<SessionRecord>, LoadError> {
    session_rows!(
        "",
        "FROM exam_sessions AS s WHERE s.id = $1 FOR UPDATE",
        session_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?
    .map(SessionRow::into_record)
    .transpose()
}
