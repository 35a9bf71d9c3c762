//! Other names for whose sessions have been over for long.

use std::time::Duration;

use sqlx::PgConnection;

use crate::error::LoadError;

/// Gives at most `limit` sessions that have been over for longer than `kept`, oldest first, a hash of
/// their user for a user, and says how many. What was over for less than 30 days stays whatever `kept`
/// says, and what has such a name keeps it. The hash is under the transaction's setting
/// `carrel.pseudonym_secret`.
///
/// # Errors
/// [`LoadError`] if the database fails or the transaction has no such setting of 32 characters.
pub async fn pseudonymise_sessions(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, LoadError> {
    let renamed = sqlx::query_scalar!(
        r#"SELECT exam_sessions_pseudonymise(make_interval(secs => $1), $2) AS "renamed!""#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(renamed.unsigned_abs())
}

/// Gives candidates that name in the history of such sessions too, at most `limit` lines.
///
/// # Errors
/// As [`pseudonymise_sessions`].
pub async fn pseudonymise_transitions(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, LoadError> {
    let renamed = sqlx::query_scalar!(
        r#"SELECT session_transitions_pseudonymise(make_interval(secs => $1), $2) AS "renamed!""#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(renamed.unsigned_abs())
}

/// Counts the sessions that [`pseudonymise_sessions`] would rename without a limit.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn count_named_sessions(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, LoadError> {
    let named = sqlx::query_scalar!(
        r#"SELECT count(*) AS "named!" FROM exam_sessions
           WHERE ended_at < now() - greatest(make_interval(secs => $1), interval '30 days')
             AND NOT is_pseudonym(user_id)"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(named)
}

/// Counts the lines of history that [`pseudonymise_transitions`] would rename without a limit.
///
/// # Errors
/// [`LoadError`] if the database fails.
pub async fn count_named_transitions(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, LoadError> {
    let named = sqlx::query_scalar!(
        r#"SELECT count(*) AS "named!" FROM session_transitions t JOIN exam_sessions s ON s.id = t.session_id
           WHERE t.actor LIKE 'candidate:%' AND NOT is_pseudonym(substr(t.actor, 11))
             AND t.at < now() - greatest(make_interval(secs => $1), interval '30 days')
             AND s.ended_at < now() - greatest(make_interval(secs => $1), interval '30 days')"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(named)
}
