//! Rows of `environment_actions`: what people did to environments by hand.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::{Actor, ExamSessionId};
use sqlx::PgConnection;

use crate::{EnvironmentRecord, StoreError};

/// Names what a person did to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentAction {
    /// Made it, or adopted the one that was there.
    Create,
    /// Destroyed it.
    Destroy,
}

impl EnvironmentAction {
    /// Every action.
    pub const ALL: [Self; 2] = [Self::Create, Self::Destroy];

    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "environment.create",
            Self::Destroy => "environment.destroy",
        }
    }
}

/// Which rows; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignedActionFilter {
    /// Only by one of these actors, as stored.
    pub actors: Option<Vec<String>>,
    /// Only of this session's environment.
    pub session_id: Option<ExamSessionId>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Only before.
    pub before: Option<DateTime<Utc>>,
    /// Goes on after the row of this time and id.
    pub after: Option<(DateTime<Utc>, i64)>,
}

/// One row of `environment_actions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignedEnvironmentAction {
    /// The row.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose environment.
    pub session_id: ExamSessionId,
    /// `environment.create` or `environment.destroy`.
    pub verb: String,
    /// Who; `system:cli` where nobody signed.
    pub actor: String,
    /// Why, where that was said.
    pub reason: Option<String>,
    /// The state that it was done in, with attempt, runtime and name.
    pub detail: Value,
}

/// Records what is about to be done to an environment, which is as `found` tells.
///
/// Written in the transaction that changes the row, before the runtime is asked: what a killed
/// command has done is on record too.
///
/// # Errors
/// [`StoreError`]; a reason that is empty or above 500 characters breaks a constraint.
pub async fn record_environment_action(
    conn: &mut PgConnection,
    action: EnvironmentAction,
    found: &EnvironmentRecord,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let detail = serde_json::json!({
        "from": found.state, "attempt": found.attempt, "runtime": found.runtime, "name": found.runtime_name,
    });
    sqlx::query!(
        "INSERT INTO environment_actions (session_id, verb, actor, reason, detail) VALUES ($1, $2, $3, $4, $5)",
        found.session_id as ExamSessionId,
        action.as_str(),
        actor.to_string(),
        reason,
        detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists what people did to environments, newest first, at most `limit`.
///
/// What nobody signed is listed too: only who types a command writes here.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn list_environment_actions(
    conn: &mut PgConnection,
    filter: &SignedActionFilter,
    limit: i64,
) -> Result<Vec<SignedEnvironmentAction>, StoreError> {
    let (after_at, after_id) = filter.after.unzip();
    // The order is that of both indexes.
    let rows = sqlx::query_as!(
        SignedEnvironmentAction,
        r#"
        SELECT id, at, session_id AS "session_id: ExamSessionId", verb, actor, reason, detail
          FROM environment_actions
         WHERE ($1::text[] IS NULL OR actor = ANY ($1))
           AND ($2::uuid IS NULL OR session_id = $2)
           AND ($3::timestamptz IS NULL OR at >= $3)
           AND ($4::timestamptz IS NULL OR at < $4)
           AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6::bigint))
         ORDER BY at DESC, id DESC
         LIMIT $7
        "#,
        filter.actors.as_deref() as Option<&[String]>,
        filter.session_id.map(|id| id.as_uuid()),
        filter.from,
        filter.before,
        after_at,
        after_id,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
