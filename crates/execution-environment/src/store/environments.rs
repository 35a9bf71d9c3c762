//! Compare-and-set statements over `execution_environments`.
//!
//! `None` from a write means that its predicate did not hold: the caller lost a race, or works on
//! an attempt that is over. It is reported, never repeated blindly.

use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use super::record::{CleanupBlock, EnvironmentRecord, EnvironmentState};
use crate::{EnvironmentSpec, RuntimeKind, RuntimeName, RuntimeUid, StoreError};

/// Inserts the environment of a new session as absent.
pub async fn insert_environment(
    conn: &mut PgConnection,
    id: ExecutionEnvironmentId,
    session_id: ExamSessionId,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO execution_environments (id, session_id) VALUES ($1, $2)",
        id as ExecutionEnvironmentId,
        session_id as ExamSessionId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads the environment of a session.
pub async fn load_environment(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        SELECT id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
          FROM execution_environments
         WHERE session_id = $1
        "#,
        session_id as ExamSessionId
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}

/// Loads the environments of several sessions, in no order; sessions without one are left out.
pub async fn load_environments(
    conn: &mut PgConnection,
    session_ids: &[ExamSessionId],
) -> Result<Vec<EnvironmentRecord>, StoreError> {
    let ids: Vec<_> = session_ids.iter().map(ExamSessionId::as_uuid).collect();
    let records = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        SELECT id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
          FROM execution_environments
         WHERE session_id = ANY($1)
        "#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(records)
}

/// Finds environments that may exist in a runtime: those on their way out first, then the oldest
/// attempts.
pub async fn find_not_gone(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<EnvironmentRecord>, StoreError> {
    // The predicate is that of the partial index `execution_environments_not_gone`.
    let records = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        SELECT id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
          FROM execution_environments
         WHERE state NOT IN ('absent', 'gone')
         ORDER BY destroying_at, creating_at
         LIMIT $1
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(records)
}

/// Counts what is not confirmed gone; capacity is admitted by this number.
pub async fn count_not_gone(conn: &mut PgConnection) -> Result<i64, StoreError> {
    // Destroying counts too: until it is confirmed gone it still takes its share of the machine.
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM execution_environments WHERE state NOT IN ('absent', 'gone')"#
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Begins the attempt after `attempt_from`: written before the runtime is asked for anything, so
/// that nothing can exist of which no row knows the name.
///
/// The earlier attempt must be confirmed gone. Its uid and evidence are cleared, its last signal
/// stays. `None`: another attempt has begun meanwhile, or the environment is beyond creating.
pub async fn begin_attempt(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    attempt_from: i32,
    runtime: RuntimeKind,
    name: &RuntimeName,
    spec: &EnvironmentSpec,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    let spec = serde_json::to_value(spec).map_err(|source| StoreError::Inconsistent {
        table: "execution_environments",
        column: "spec",
        id: session_id.to_string(),
        source: source.into(),
    })?;
    // The attempt read before is the compare-and-set token: of two workers one begins the next.
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET state = 'creating', attempt = attempt + 1, version = version + 1, runtime = $3, runtime_name = $4,
               spec = $5, runtime_uid = NULL, created_in_runtime_at = NULL, evidence = NULL, creating_at = now()
         WHERE session_id = $1 AND attempt = $2 AND state IN ('absent', 'creating')
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId,
        attempt_from,
        runtime as RuntimeKind,
        name.as_str(),
        spec
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}

/// Records the uid that the runtime gave the current attempt. Recording the same one again is fine.
pub async fn record_created(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    attempt: i32,
    uid: &RuntimeUid,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    // A uid is never replaced by another: then somebody else answers to the name.
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET runtime_uid = $3, created_in_runtime_at = COALESCE(created_in_runtime_at, now()), version = version + 1
         WHERE session_id = $1 AND attempt = $2 AND state = 'creating' AND (runtime_uid IS NULL OR runtime_uid = $3)
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId,
        attempt,
        uid.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}

/// Records what kept the current attempt from being ready; a missed deadline is blamed on it.
pub async fn record_signal(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    attempt: i32,
    signal: &Value,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET last_signal = $3, version = version + 1
         WHERE session_id = $1 AND attempt = $2 AND state <> 'gone'
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId,
        attempt,
        signal
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}

/// Records that the current attempt is proven, with its evidence.
pub async fn record_up(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    attempt: i32,
    uid: &RuntimeUid,
    evidence: &Value,
) -> Result<Option<EnvironmentRecord>, StoreError> {
    // The evidence belongs to one uid; if the row has meanwhile learnt of another, it proves nothing.
    let record = sqlx::query_as!(
        EnvironmentRecord,
        r#"
        UPDATE execution_environments
           SET state = 'up', runtime_uid = $3, evidence = $4, up_at = now(), version = version + 1,
               created_in_runtime_at = COALESCE(created_in_runtime_at, now())
         WHERE session_id = $1 AND attempt = $2 AND state = 'creating' AND (runtime_uid IS NULL OR runtime_uid = $3)
        RETURNING id AS "id: ExecutionEnvironmentId", session_id AS "session_id: ExamSessionId", state AS "state: EnvironmentState",
               version, attempt, runtime AS "runtime: RuntimeKind", runtime_name AS "runtime_name: RuntimeName",
               runtime_uid AS "runtime_uid: RuntimeUid", spec, evidence, last_signal, snapshot, created_at, creating_at,
               created_in_runtime_at, up_at, destroying_at, gone_at,
               cleanup_blocked AS "cleanup_blocked: CleanupBlock", cleanup_blocked_at, forced_at
        "#,
        session_id as ExamSessionId,
        attempt,
        uid.as_str(),
        evidence
    )
    .fetch_optional(conn)
    .await?;
    Ok(record)
}
