//! Other names for whose environments have been gone for long.

use std::time::Duration;

use sqlx::PgConnection;

use crate::StoreError;

/// Gives at most `limit` environments that are gone, of sessions that have been over for longer than
/// `kept`, a hash of their user for a user, and says how many; never before 30 days. The hash is under
/// the transaction's setting `carrel.pseudonym_secret`, of 32 characters at least.
pub async fn pseudonymise_environments(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, StoreError> {
    let renamed = sqlx::query_scalar!(
        r#"SELECT execution_environments_pseudonymise(make_interval(secs => $1), $2) AS "renamed!""#,
        kept.as_secs_f64(),
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(renamed.unsigned_abs())
}

/// Counts the environments that [`pseudonymise_environments`] would rename without a limit.
pub async fn count_named_environments(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, StoreError> {
    let named = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "named!"
          FROM execution_environments e JOIN exam_sessions s ON s.id = e.session_id
         WHERE e.state = 'gone' AND NOT is_pseudonym(e.spec ->> 'user_id')
           AND e.gone_at < now() - greatest(make_interval(secs => $1), interval '30 days')
           AND s.ended_at < now() - greatest(make_interval(secs => $1), interval '30 days')
        "#,
        kept.as_secs_f64()
    )
    .fetch_one(conn)
    .await?;
    Ok(named)
}
