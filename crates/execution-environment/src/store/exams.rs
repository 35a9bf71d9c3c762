//! Versioned, immutable exam definitions, read.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{ExamDefinition, StoreError};

/// Holds one version of an exam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExamRecord {
    /// The version, from 1.
    pub version: i32,
    /// The definition.
    pub definition: ExamDefinition,
    /// Who applied it.
    pub applied_by: String,
    /// When.
    pub applied_at: DateTime<Utc>,
    /// When an environment of it was last proven on trial; `None`: never.
    pub proven_at: Option<DateTime<Utc>>,
    /// What that trial found, see [`TrialProof`](crate::TrialProof).
    pub proof: Option<Value>,
    /// Why it was stored without a trial, where it was.
    pub unproven_reason: Option<String>,
}

/// Describes the latest version of an exam in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExamSummary {
    /// The exam.
    pub name: String,
    /// Its latest version.
    pub version: i32,
    /// Its title.
    pub title: String,
    /// Who applied the latest version.
    pub applied_by: String,
    /// When.
    pub applied_at: DateTime<Utc>,
    /// When an environment of it was last proven on trial; `None`: never.
    pub proven_at: Option<DateTime<Utc>>,
    /// Why it was stored without a trial, where it was.
    pub unproven_reason: Option<String>,
}

/// Loads one version of an exam, the latest without a number.
///
/// Errors: [`StoreError::Inconsistent`] when the stored definition cannot be read any more.
pub async fn load_exam(
    conn: &mut PgConnection,
    name: &str,
    version: Option<i32>,
) -> Result<Option<ExamRecord>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT version, definition, applied_by, applied_at, proven_at, proof, unproven_reason
          FROM exams
         WHERE name = $1 AND ($2::integer IS NULL OR version = $2)
         ORDER BY version DESC
         LIMIT 1
        "#,
        name,
        version
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(ExamRecord {
        version: row.version,
        definition: definition(name, row.version, row.definition)?,
        applied_by: row.applied_by,
        applied_at: row.applied_at,
        proven_at: row.proven_at,
        proof: row.proof,
        unproven_reason: row.unproven_reason,
    }))
}

/// Lists the latest version of every exam, by name.
pub async fn list_exams(conn: &mut PgConnection) -> Result<Vec<ExamSummary>, StoreError> {
    let exams = sqlx::query_as!(
        ExamSummary,
        r#"
        SELECT DISTINCT ON (name) name, version, title, applied_by, applied_at, proven_at, unproven_reason
          FROM exams
         ORDER BY name, version DESC
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(exams)
}

/// Loads the latest version of every exam, by name.
///
/// Errors: [`StoreError::Inconsistent`] when a stored definition cannot be read any more.
pub async fn load_latest_exams(conn: &mut PgConnection) -> Result<Vec<ExamDefinition>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (name) name, version, definition FROM exams ORDER BY name, version DESC"
    )
    .fetch_all(conn)
    .await?;
    let exams = rows
        .into_iter()
        .map(|row| definition(&row.name, row.version, row.definition));
    exams.collect()
}

fn definition(name: &str, version: i32, stored: Value) -> Result<ExamDefinition, StoreError> {
    serde_json::from_value(stored).map_err(|source| StoreError::Inconsistent {
        table: "exams",
        column: "definition",
        id: format!("{name} v{version}"),
        source: source.into(),
    })
}
