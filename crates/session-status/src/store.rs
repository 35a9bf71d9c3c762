//! The two queries of this crate. It owns no table and only reads.

use execution_environment::EnvironmentState;
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::PgConnection;

use crate::derive::document;
use crate::document::StatusDocument;
use crate::error::StatusError;
use crate::row::StatusRow;

/// Reads one session's status; `None` if there is no such session.
///
/// One query, so session, environment and extension are of one moment; the time in it is read by
/// the same statement.
///
/// # Errors
/// [`StatusError`] if the database fails or a row contradicts the schema.
pub async fn status(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<StatusDocument>, StatusError> {
    let row = sqlx::query_as!(
        StatusRow,
        r#"
        -- The environment is inserted with its session; one that is missing reads as absent.
        SELECT s.id AS "id: ExamSessionId", s.user_id,
               s.environment_id AS "environment_id: ExecutionEnvironmentId",
               s.exam_name, s.exam_version, e.title AS exam_title, s.state, s.version,
               s.created_at, s.initializing_at, s.ready_at, s.running_at, s.ended_at, s.ready_by,
               (EXTRACT(EPOCH FROM s.duration) * 1000)::bigint AS duration_ms,
               s.ends_at, s.absolute_end, s.ending_kind, s.ending_actor, s.failure_code,
               COALESCE(v.state, 'absent') AS "environment_state!: EnvironmentState",
               COALESCE(v.version, 0) AS "environment_version!",
               COALESCE(v.attempt, 0) AS "attempt!",
               v.creating_at AS "creating_at?",
               v.created_in_runtime_at AS "created_in_runtime_at?",
               v.gone_at AS "gone_at?", v.last_signal AS "last_signal?",
               COALESCE((SELECT sum(x.by_seconds) FROM session_extensions AS x
                         WHERE x.session_id = s.id), 0) AS "extended_seconds!",
               last.by_seconds AS "last_extension_seconds?",
               last.actor AS "last_extension_actor?", last.at AS "last_extension_at?",
               clock_timestamp() AS "server_time!"
        FROM exam_sessions AS s
        JOIN exams AS e ON e.name = s.exam_name AND e.version = s.exam_version
        LEFT JOIN execution_environments AS v ON v.session_id = s.id
        LEFT JOIN LATERAL (
            SELECT x.by_seconds, x.actor, x.at FROM session_extensions AS x
            WHERE x.session_id = s.id ORDER BY x.version DESC LIMIT 1
        ) AS last ON true
        WHERE s.id = $1
        "#,
        session_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| document(&row, row.server_time)).transpose()
}

/// Names a session's current revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The session.
    pub session_id: ExamSessionId,
    /// What [`StatusDocument::revision`] would say.
    pub revision: i64,
}

/// Reads the revisions of many sessions in one query, those that exist, in no order: what a process
/// polls for all the candidates it serves, to learn whose document to read anew.
///
/// # Errors
/// [`StatusError`] if the database fails.
pub async fn revisions(
    conn: &mut PgConnection,
    session_ids: &[ExamSessionId],
) -> Result<Vec<Revision>, StatusError> {
    let ids: Vec<_> = session_ids.iter().map(ExamSessionId::as_uuid).collect();
    let revisions = sqlx::query_as!(
        Revision,
        r#"
        SELECT s.id AS "session_id!: ExamSessionId",
               s.version + COALESCE(v.version, 0) AS "revision!"
        FROM exam_sessions AS s
        LEFT JOIN execution_environments AS v ON v.session_id = s.id
        WHERE s.id = ANY ($1)
        "#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(revisions)
}
