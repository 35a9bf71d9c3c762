//! Versioned, immutable exam definitions.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::Actor;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use crate::{ApplyError, ClockPolicy, ExamDefinition, FieldError, StoreError};

/// Tells what became of an applied definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The exam.
    pub name: String,
    /// The version that holds this definition.
    pub version: i32,
    /// Whether this version is new; false when the latest one is the same.
    pub created: bool,
}

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
}

/// Stores a definition as the next version of its exam, unless the latest is the same.
///
/// Errors: [`ApplyError::Invalid`] with every fault; nothing is written then.
pub async fn apply_exam(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
    actor: &Actor,
) -> Result<Applied, ApplyError> {
    let mut faults = definition.validate();
    let failed = |source| ApplyError::Database {
        name: definition.name.clone(),
        source,
    };
    let mut transaction = conn.begin().await.map_err(failed)?;
    if faults.is_empty() {
        faults.extend(
            ended_window(&mut transaction, definition)
                .await
                .map_err(failed)?,
        );
    }
    if !faults.is_empty() {
        return Err(ApplyError::Invalid(faults));
    }
    let applied = append_version(&mut transaction, definition, actor)
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(applied)
}

/// Only the database's clock knows whether a window is over.
async fn ended_window(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
) -> Result<Option<FieldError>, sqlx::Error> {
    let ClockPolicy::Window { ends_at, .. } = definition.clock else {
        return Ok(None);
    };
    let over = sqlx::query_scalar!(r#"SELECT $1::timestamptz <= now() AS "over!""#, ends_at)
        .fetch_one(conn)
        .await?;
    Ok(over.then(|| FieldError::new("clock.ends_at", "has passed", "give a later moment")))
}

async fn append_version(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
    actor: &Actor,
) -> Result<Applied, sqlx::Error> {
    let (document, digest) = canonical(definition)?;
    // Two appliers of one exam take turns, so that versions have no gaps and equal ones meet.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('carrel.exams.' || $1, 0))",
        definition.name
    )
    .execute(&mut *conn)
    .await?;
    let latest = sqlx::query!(
        "SELECT version, digest FROM exams WHERE name = $1 ORDER BY version DESC LIMIT 1",
        definition.name
    )
    .fetch_optional(&mut *conn)
    .await?;
    let name = definition.name.clone();
    if let Some(latest) = latest.as_ref().filter(|latest| latest.digest == digest) {
        return Ok(Applied {
            name,
            version: latest.version,
            created: false,
        });
    }
    let version = latest.map_or(1, |latest| latest.version + 1);
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by) VALUES ($1, $2, $3, $4, $5, $6)",
        definition.name,
        version,
        definition.title,
        document,
        digest,
        actor.to_string()
    )
    .execute(conn)
    .await?;
    Ok(Applied {
        name,
        version,
        created: true,
    })
}

/// The order of the struct's fields makes the bytes canonical.
fn canonical(definition: &ExamDefinition) -> Result<(Value, Vec<u8>), sqlx::Error> {
    let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    let bytes = serde_json::to_vec(definition).map_err(encode)?;
    let document = serde_json::from_slice(&bytes).map_err(encode)?;
    Ok((document, Sha256::digest(&bytes).to_vec()))
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
        SELECT version, definition, applied_by, applied_at
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
    }))
}

/// Lists the latest version of every exam, by name.
pub async fn list_exams(conn: &mut PgConnection) -> Result<Vec<ExamSummary>, StoreError> {
    let exams = sqlx::query_as!(
        ExamSummary,
        "SELECT DISTINCT ON (name) name, version, title, applied_by, applied_at FROM exams ORDER BY name, version DESC"
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
