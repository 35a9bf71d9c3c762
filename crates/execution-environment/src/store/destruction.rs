//! The last part of an environment's row: destroying, evidence, gone.

use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use super::environments::load_environment;
use super::record::{CleanupBlock, EnvironmentRecord, EnvironmentState};
use crate::{RuntimeKind, RuntimeName, RuntimeUid, StoreError};

/// Begins the destruction, or says how far it is: afterwards the state is destroying or gone.
///
/// An environment that was never asked of a runtime is gone at once; no attempt can begin any
/// more. `None`: the session has no environment.
pub async fn begin_destroy(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    let changed = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET state = CASE state WHEN 'absent' THEN 'gone' ELSE 'destroying' END, destroying_at = now(),
               gone_at = CASE state WHEN 'absent' THEN now() END, version = version + 1
         WHERE session_id = $1 AND state IN ('absent', 'creating', 'up')
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId
    )
    .fetch_optional(&mut *conn)
    .await?;
    match changed {
        Some(record) => Ok(Some(record)),
        None => load_environment(conn, session_id).await,
    }
}

/// Records the evidence taken before destruction; the first one stays.
pub async fn record_snapshot(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    snapshot: &Value,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    // A repeated destruction finds less than the first one did, so the first snapshot is kept.
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET snapshot = COALESCE(snapshot, $2), version = version + 1
         WHERE session_id = $1 AND state <> 'gone'
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId,
        snapshot
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}

/// Records that an uncached read found nothing any more. Saying so again is fine.
pub async fn record_gone(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    let changed = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET state = 'gone', gone_at = now(), cleanup_blocked = NULL, cleanup_blocked_at = NULL, version = version + 1
         WHERE session_id = $1 AND state = 'destroying'
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId
    )
    .fetch_optional(&mut *conn)
    .await?;
    match changed {
        Some(record) => Ok(Some(record)),
        None => Ok(load_environment(conn, session_id)
            .await?
            .filter(|record| record.state == EnvironmentState::Gone)),
    }
}
