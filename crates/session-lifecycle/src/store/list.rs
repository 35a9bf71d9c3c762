//! Sessions by what operators ask for.

use chrono::{DateTime, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, IdPrefix, UserId};
use sqlx::PgConnection;

use crate::error::LoadError;
use crate::record::SessionRecord;
use crate::state::SessionState;
use crate::store::session::{SessionRow, session_rows};

/// Narrows a list of sessions; an empty filter matches all.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only this candidate's.
    pub user_id: Option<UserId>,
    /// Only of this exam.
    pub exam_name: Option<String>,
    /// Only in one of these states; empty means any.
    pub states: Vec<SessionState>,
    /// Only ids before this one: the last id of the page before.
    pub before: Option<ExamSessionId>,
    /// Only ids whose last 30 bits are these: what the reference that a candidate reads aloud knows
    /// of them.
    pub id_tail: Option<u32>,
    /// Only failed with this code.
    pub failure_code: Option<String>,
    /// Only requested at this time or later.
    pub created_from: Option<DateTime<Utc>>,
}

/// Lists sessions, newest id first, at most `limit`.
///
/// # Errors
/// [`LoadError`] if the database fails or a row contradicts the schema.
pub async fn list_sessions(
    conn: &mut PgConnection,
    filter: &SessionFilter,
    limit: i64,
) -> Result<Vec<SessionRecord>, LoadError> {
    let states: Vec<String> = filter
        .states
        .iter()
        .map(|state| state.as_str().to_owned())
        .collect();
    session_rows!(
        "",
        "FROM exam_sessions AS s
         WHERE ($1::text IS NULL OR s.user_id = $1)
           AND ($2::text IS NULL OR s.exam_name = $2)
           AND (cardinality($3::text[]) = 0 OR s.state = ANY ($3))
           AND ($4::uuid IS NULL OR s.id < $4)
           -- Word for word what the index exam_sessions_reference holds.
           AND ($6::bigint IS NULL
                OR ('x' || right(s.id::text, 8))::bit(32)::bigint & ((1 << 30) - 1) = $6)
           AND ($7::text IS NULL OR s.failure_code = $7)
           AND ($8::timestamptz IS NULL OR s.created_at >= $8)
         ORDER BY s.id DESC LIMIT $5",
        filter.user_id.as_ref().map(UserId::as_str),
        filter.exam_name.as_deref(),
        &states,
        filter.before.map(|id| id.as_uuid()),
        limit,
        filter.id_tail.map(i64::from),
        filter.failure_code.as_deref(),
        filter.created_from,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(SessionRow::into_record)
    .collect()
}

/// Finds the sessions whose id begins so, newest first, at most `limit`.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn find_sessions(
    conn: &mut PgConnection,
    prefix: &IdPrefix,
    limit: i64,
) -> Result<Vec<ExamSessionId>, LoadError> {
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id: ExamSessionId" FROM exam_sessions WHERE id BETWEEN $1 AND $2
           ORDER BY id DESC LIMIT $3"#,
        prefix.first(),
        prefix.last(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(found)
}

/// Counts sessions by state, every state listed, in the order of [`SessionState::ALL`].
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn count_sessions(
    conn: &mut PgConnection,
) -> Result<Vec<(SessionState, i64)>, LoadError> {
    let rows =
        sqlx::query!(r#"SELECT state, count(*) AS "sessions!" FROM exam_sessions GROUP BY state"#)
            .fetch_all(conn)
            .await?;
    let count = |state: SessionState| {
        rows.iter()
            .find(|row| row.state == state.as_str())
            .map_or(0, |row| row.sessions)
    };
    Ok(SessionState::ALL
        .into_iter()
        .map(|state| (state, count(state)))
        .collect())
}
