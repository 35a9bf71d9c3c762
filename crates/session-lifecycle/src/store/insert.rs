//! How a session begins.

use chrono::{DateTime, Utc};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use crate::error::InsertError;
use crate::record::SessionRecord;
use crate::request::{ExamClock, Inserted, NewSession, Provenance};
use crate::store::session::{SessionRow, session_rows};

/// How often a lost race may repeat: each repetition needs another session of the same candidate
/// and exam to end between two statements.
const ATTEMPTS: u8 = 3;

/// Inserts a session in `created` with the first row of its history, or finds the live session
/// the candidate already has of this exam.
///
/// Waits for a concurrent insertion for the same candidate and exam, so of any number of callers
/// exactly one gets [`Inserted::New`].
///
/// # Errors
/// [`InsertError::UnknownExam`] (the caller's transaction is then aborted),
/// [`InsertError::WindowNotOpen`], [`InsertError::WindowClosed`], [`InsertError::IdTaken`] (likewise
/// aborted), or a database error.
pub async fn insert_session(
    conn: &mut PgConnection,
    new: &NewSession,
    provenance: &Provenance,
) -> Result<Inserted, InsertError> {
    if let ExamClock::Window { starts_at, ends_at } = new.clock {
        check_window(conn, starts_at, ends_at).await?;
    }
    for _ in 0..ATTEMPTS {
        if let Some(session) = try_insert(conn, new, provenance).await? {
            return Ok(Inserted::New(session));
        }
        if let Some(session) = load_live(conn, new).await? {
            return Ok(Inserted::LiveExists(session));
        }
    }
    Err(InsertError::IdTaken(new.id))
}

async fn check_window(
    conn: &mut PgConnection,
    starts_at: Option<DateTime<Utc>>,
    ends_at: DateTime<Utc>,
) -> Result<(), InsertError> {
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
        .fetch_one(conn)
        .await?;
    match starts_at {
        Some(starts_at) if now < starts_at => Err(InsertError::WindowNotOpen { starts_at }),
        _ if now >= ends_at => Err(InsertError::WindowClosed { ends_at }),
        _ => Ok(()),
    }
}

/// Inserts unless a live session of the same candidate and exam exists.
async fn try_insert(
    conn: &mut PgConnection,
    new: &NewSession,
    provenance: &Provenance,
) -> Result<Option<SessionRecord>, InsertError> {
    let (duration, window_end) = match new.clock {
        ExamClock::FromFirstAttach { duration } => (Some(duration.as_secs_f64()), None),
        ExamClock::Window { ends_at, .. } => (None, Some(ends_at)),
    };
    let row = session_rows!(
        r#"
        -- A window that outlasts the cap is cut to it: the cap is what the runtime enforces.
        WITH inserted AS (
            INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version,
                                       ready_by, duration, ends_at, absolute_end)
            VALUES ($1, $2, $3, $4, $5,
                    now() + make_interval(secs => $6),
                    make_interval(secs => $7),
                    LEAST($8::timestamptz, CASE WHEN $8::timestamptz IS NOT NULL
                                                THEN now() + make_interval(secs => $9) END),
                    now() + make_interval(secs => $9))
            ON CONFLICT (user_id, exam_name) WHERE state NOT IN ('terminated', 'failed') DO NOTHING
            RETURNING *
        ), noted AS (
            INSERT INTO session_transitions (session_id, version, from_state, to_state, cause,
                                             actor, job_id, trace, at)
            SELECT id, version, NULL, state, $10, $11, $12, $13, created_at FROM inserted
        )
        "#,
        "FROM inserted AS s",
        new.id.as_uuid(),
        new.user_id.as_str(),
        new.environment_id.as_uuid(),
        new.exam_name,
        new.exam_version,
        new.startup_budget.as_secs_f64(),
        duration,
        window_end,
        new.absolute_cap.as_secs_f64(),
        provenance.cause.as_str(),
        provenance.actor.to_string(),
        provenance.job_id.map(|id| id.as_uuid()),
        provenance.trace.as_deref(),
    )
    .fetch_optional(conn)
    .await
    .map_err(|error| name_constraint(error, new))?;
    Ok(row.map(SessionRow::into_record).transpose()?)
}

/// Tells the two constraints a caller can meet from true database failures.
fn name_constraint(error: sqlx::Error, new: &NewSession) -> InsertError {
    let constraint = error
        .as_database_error()
        .and_then(|database| database.constraint());
    match constraint {
        Some("exam_sessions_exam_fk") => InsertError::UnknownExam {
            exam_name: new.exam_name.clone(),
            exam_version: new.exam_version,
        },
        Some("exam_sessions_pk" | "exam_sessions_environment_unique") => {
            InsertError::IdTaken(new.id)
        }
        _ => error.into(),
    }
}

/// Finds the live session that stood in the way.
async fn load_live(
    conn: &mut PgConnection,
    new: &NewSession,
) -> Result<Option<SessionRecord>, InsertError> {
    let row = session_rows!(
        "",
        "FROM exam_sessions AS s
         WHERE s.user_id = $1 AND s.exam_name = $2 AND s.state NOT IN ('terminated', 'failed')",
        new.user_id.as_str(),
        new.exam_name,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(SessionRow::into_record).transpose()?)
}
