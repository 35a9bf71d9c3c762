//! Versioned, immutable exam definitions, written.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use session_identity::Actor;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use crate::{ApplyError, ClockPolicy, ExamBasis, ExamDefinition, FieldError, RuntimeKind};

/// Tells what became of an applied definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The exam.
    pub name: String,
    /// The version that holds this definition.
    pub version: i32,
    /// Whether this version is new; false when the latest one is the same.
    pub created: bool,
    /// When an environment of it was last proven on trial; `None`: never.
    pub proven_at: Option<DateTime<Utc>>,
    /// On which runtime that was.
    pub proven_on: Option<RuntimeKind>,
}

/// Stores a definition as the next version of its exam, unless the latest is the same.
///
/// A proof becomes that of the version in either case; what is proven stays so when the same is
/// applied without one.
///
/// Errors: [`ApplyError::Invalid`] with every fault; nothing is written then.
pub async fn apply_exam(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
    basis: &ExamBasis,
    actor: &Actor,
) -> Result<Applied, ApplyError> {
    let failed = |source| failed(definition, source);
    let mut transaction = conn.begin().await.map_err(failed)?;
    must_be_acceptable(&mut transaction, definition).await?;
    let version = Version::of(definition, basis).map_err(failed)?;
    let applied = version.write(&mut transaction, actor).await;
    let applied = applied.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(applied)
}

/// Finds the latest version of an exam, if it is this very definition: before a trial is made that
/// nothing would be gained by.
///
/// Errors: as [`apply_exam`].
pub async fn find_applied(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
) -> Result<Option<Applied>, ApplyError> {
    must_be_acceptable(conn, definition).await?;
    let found = async {
        let (_, digest) = canonical(definition)?;
        latest(conn, &definition.name, &digest).await
    };
    let latest = found.await.map_err(|source| failed(definition, source))?;
    Ok(latest.filter(|it| it.same).map(|it| it.applied))
}

fn failed(definition: &ExamDefinition, source: sqlx::Error) -> ApplyError {
    ApplyError::Database {
        name: definition.name.clone(),
        source,
    }
}

async fn must_be_acceptable(
    conn: &mut PgConnection,
    definition: &ExamDefinition,
) -> Result<(), ApplyError> {
    let mut faults = definition.validate();
    if faults.is_empty() {
        let ended = ended_window(conn, definition).await;
        faults.extend(ended.map_err(|source| failed(definition, source))?);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Invalid(faults))
    }
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

struct Latest {
    applied: Applied,
    same: bool,
}

async fn latest(
    conn: &mut PgConnection,
    name: &str,
    digest: &[u8],
) -> Result<Option<Latest>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT version, digest, proven_at, proof ->> 'runtime' AS "proven_on?: RuntimeKind"
          FROM exams
         WHERE name = $1
         ORDER BY version DESC
         LIMIT 1
        "#,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Latest {
        same: row.digest == digest,
        applied: Applied {
            name: name.to_owned(),
            version: row.version,
            created: false,
            proven_at: row.proven_at,
            proven_on: row.proven_on,
        },
    }))
}

/// What is about to be stored.
struct Version<'a> {
    definition: &'a ExamDefinition,
    document: Value,
    digest: Vec<u8>,
    proof: Option<Value>,
    unproven_reason: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn of(definition: &'a ExamDefinition, basis: &'a ExamBasis) -> Result<Self, sqlx::Error> {
        let (document, digest) = canonical(definition)?;
        let (proof, unproven_reason) = match basis {
            ExamBasis::Proven(proof) => (Some(serde_json::to_value(proof).map_err(encode)?), None),
            ExamBasis::Unproven { reason } => (None, Some(reason.as_str())),
        };
        Ok(Self {
            definition,
            document,
            digest,
            proof,
            unproven_reason,
        })
    }

    async fn write(&self, conn: &mut PgConnection, actor: &Actor) -> Result<Applied, sqlx::Error> {
        let name = &self.definition.name;
        // Two appliers of one exam take turns, so that versions have no gaps and equal ones meet.
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtextextended('carrel.exams.' || $1, 0))",
            name
        )
        .execute(&mut *conn)
        .await?;
        match latest(conn, name, &self.digest).await? {
            Some(latest) if latest.same => self.prove(conn, latest.applied).await,
            latest => {
                let version = latest.map_or(1, |latest| latest.applied.version + 1);
                self.append(conn, version, actor).await
            }
        }
    }

    /// Adds what was proven to a version that is there.
    async fn prove(
        &self,
        conn: &mut PgConnection,
        applied: Applied,
    ) -> Result<Applied, sqlx::Error> {
        let Some(proof) = &self.proof else {
            return Ok(applied);
        };
        let row = sqlx::query!(
            r#"
            UPDATE exams
               SET proven_at = now(), proof = $3
             WHERE name = $1 AND version = $2
            RETURNING proven_at, proof ->> 'runtime' AS "proven_on?: RuntimeKind"
            "#,
            applied.name,
            applied.version,
            proof
        )
        .fetch_one(conn)
        .await?;
        Ok(Applied {
            proven_at: row.proven_at,
            proven_on: row.proven_on,
            ..applied
        })
    }

    async fn append(
        &self,
        conn: &mut PgConnection,
        version: i32,
        actor: &Actor,
    ) -> Result<Applied, sqlx::Error> {
        let row = sqlx::query!(
            r#"
            INSERT INTO exams (name, version, title, definition, digest, applied_by, proof, proven_at, unproven_reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7::jsonb IS NOT NULL THEN now() END, $8)
            RETURNING proven_at, proof ->> 'runtime' AS "proven_on?: RuntimeKind"
            "#,
            self.definition.name,
            version,
            self.definition.title,
            self.document,
            self.digest,
            actor.to_string(),
            self.proof.as_ref(),
            self.unproven_reason
        )
        .fetch_one(conn)
        .await?;
        Ok(Applied {
            name: self.definition.name.clone(),
            version,
            created: true,
            proven_at: row.proven_at,
            proven_on: row.proven_on,
        })
    }
}

fn encode(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// The order of the struct's fields makes the bytes canonical.
fn canonical(definition: &ExamDefinition) -> Result<(Value, Vec<u8>), sqlx::Error> {
    let bytes = serde_json::to_vec(definition).map_err(encode)?;
    let document = serde_json::from_slice(&bytes).map_err(encode)?;
    Ok((document, Sha256::digest(&bytes).to_vec()))
}
