//! Who was admitted or denied, with the true reason.

use std::time::Duration;

use session_identity::{ExamSessionId, Role, UserId};
use sqlx::PgConnection;

use crate::authorize::{Action, Decision};

/// One line of the access log.
#[derive(Debug, Clone)]
pub struct AccessEntry<'a> {
    /// The session named; it need not exist.
    pub session_id: ExamSessionId,
    /// Who wanted to.
    pub user_id: &'a UserId,
    /// In which role.
    pub role: Role,
    /// What they wanted.
    pub action: Action,
    /// What was decided.
    pub decision: &'a Decision,
    /// More than the decision says, such as what is wrong with a ticket.
    pub detail: Option<&'a str>,
    /// The epoch taken, for an attach.
    pub epoch: Option<i64>,
}

/// Appends to the access log.
///
/// # Errors
/// Errors of the database.
pub async fn append_access(
    conn: &mut PgConnection,
    entry: &AccessEntry<'_>,
) -> Result<(), sqlx::Error> {
    let (code, decided) = match entry.decision {
        Decision::Allowed => (None, None),
        Decision::Denied(denial) => (Some(denial.code.as_str()), Some(denial.detail)),
    };
    sqlx::query!(
        r#"
        INSERT INTO access_log (session_id, user_id, role, action, allowed, code, detail, epoch)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        entry.session_id.as_uuid(),
        entry.user_id.as_str(),
        entry.role.as_str(),
        entry.action.as_str(),
        entry.decision.is_allowed(),
        code,
        entry.detail.or(decided),
        entry.epoch,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes at most `limit` lines that are older than `kept`, oldest first, and says how many. Lines of
/// the last 30 days stay whatever `kept` says. Lines go in no other way.
///
/// # Errors
/// Errors of the database.
pub async fn delete_old_access(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query_scalar!(
        r#"SELECT access_log_delete_old(make_interval(secs => $1), $2) AS "deleted!""#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(deleted.unsigned_abs())
}

/// Counts the lines that [`delete_old_access`] would delete without a limit.
///
/// # Errors
/// Errors of the database.
pub async fn count_old_access(conn: &mut PgConnection, kept: Duration) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "lines!" FROM access_log
           WHERE at < now() - greatest(make_interval(secs => $1), interval '30 days')"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
}

/// Gives candidates a hash of their user id for a name, in at most `limit` lines older than `kept`,
/// oldest first, and says how many; never before 30 days. Lines change in no other way. The hash is
/// under the transaction's setting `carrel.pseudonym_secret`.
///
/// # Errors
/// Errors of the database, and where the transaction has no such setting of 32 characters.
pub async fn pseudonymise_access(
    conn: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let renamed = sqlx::query_scalar!(
        r#"SELECT access_log_pseudonymise(make_interval(secs => $1), $2) AS "renamed!""#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(renamed.unsigned_abs())
}

/// Counts the lines that [`pseudonymise_access`] would change without a limit.
///
/// # Errors
/// Errors of the database.
pub async fn count_named_access(
    conn: &mut PgConnection,
    kept: Duration,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "named!" FROM access_log
           WHERE role = 'candidate' AND NOT is_pseudonym(user_id)
             AND at < now() - greatest(make_interval(secs => $1), interval '30 days')"#,
        kept.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
}
