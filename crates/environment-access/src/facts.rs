//! What the decision needs to know of a session, read in one statement.

use std::time::Duration;

use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};
use sqlx::PgConnection;

/// What a session's row says about who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// The session.
    pub session_id: ExamSessionId,
    /// Its owner.
    pub user_id: UserId,
    /// Its environment.
    pub environment_id: ExecutionEnvironmentId,
    /// Where it stands.
    pub standing: Standing,
    /// Its state, as stored.
    pub state: String,
    /// Time to its end; `None` while its clock has not started.
    pub remaining: Option<Duration>,
}

/// Where a session stands, as far as access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not yet to be attached to: created or initializing.
    Preparing,
    /// To be attached to: ready or running, before its end.
    Open,
    /// Over: terminated, failed, or past its end whether or not that was recorded yet.
    Ended,
}

impl Standing {
    /// Reads a stored state; past the end everything is over.
    pub(crate) fn of(state: &str, past_end: bool) -> Self {
        match state {
            _ if past_end => Self::Ended,
            "created" | "initializing" => Self::Preparing,
            "ready" | "running" => Self::Open,
            _ => Self::Ended,
        }
    }

    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }
}

/// Reads the facts of a session; `None` if there is no such session.
///
/// # Errors
/// Errors of the database.
pub async fn load_facts(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<SessionFacts>, sqlx::Error> {
    // The end is judged by the database's clock, not waited for: an expired session is over
    // even before the sweep has said so.
    let row = sqlx::query!(
        r#"
        SELECT user_id AS "user_id: UserId",
               environment_id AS "environment_id: ExecutionEnvironmentId",
               state,
               least(ends_at, absolute_end) <= clock_timestamp() AS "past_end!",
               (extract(epoch FROM least(ends_at, absolute_end) - clock_timestamp()) * 1000)::bigint
                   AS "remaining_ms!",
               ends_at IS NOT NULL AS "clock_started!"
        FROM exam_sessions
        WHERE id = $1
        "#,
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| SessionFacts {
        session_id,
        user_id: row.user_id,
        environment_id: row.environment_id,
        standing: Standing::of(&row.state, row.past_end),
        state: row.state,
        remaining: row.clock_started.then(|| millis(row.remaining_ms)),
    }))
}

/// A duration of milliseconds, zero for what is past.
pub(crate) fn millis(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
