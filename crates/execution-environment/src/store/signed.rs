//! What people declared: exam versions that they applied, waivers that they granted and took back.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::StoreError;

/// Which declarations; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct SignedFilter {
    /// Only by one of these actors, as stored.
    pub actors: Option<Vec<String>>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Only before.
    pub before: Option<DateTime<Utc>>,
    /// Goes on after the declaration of this time and key.
    pub after: Option<(DateTime<Utc>, String)>,
}

/// One act that a row of `exams` or `isolation_waivers` keeps.
#[derive(Clone, Debug)]
pub struct SignedDeclaration {
    /// Names it: the row and what was done with it.
    pub key: String,
    /// When.
    pub at: DateTime<Utc>,
    /// `exam.apply`, `waiver.grant` or `waiver.revoke`.
    pub verb: String,
    /// Who.
    pub actor: String,
    /// Why, where a reason was asked for.
    pub reason: Option<String>,
    /// The exam and its version, or the waiver and what it gives up.
    pub detail: Value,
}

/// Lists what people declared, newest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn list_signed_declarations(
    conn: &mut PgConnection,
    filter: &SignedFilter,
    limit: i64,
) -> Result<Vec<SignedDeclaration>, StoreError> {
    let (after_at, after_key) = filter.after.clone().unzip();
    // Both tables grow by hand and are read whole. Keys are compared byte by byte, whatever the
    // database's language.
    let rows = sqlx::query_as!(
        SignedDeclaration,
        r#"
        WITH declared AS (
            SELECT name || ':' || version AS key, applied_at AS at, 'exam.apply' AS verb, applied_by AS actor,
                   unproven_reason AS reason, jsonb_build_object('exam', name, 'version', version) AS detail
              FROM exams
            UNION ALL
            SELECT 'granted:' || id, granted_at, 'waiver.grant', granted_by, reason,
                   jsonb_build_object('waiver', id, 'protection', protection, 'expires_at', expires_at)
              FROM isolation_waivers
            UNION ALL
            SELECT 'revoked:' || id, revoked_at, 'waiver.revoke', revoked_by, NULL,
                   jsonb_build_object('waiver', id, 'protection', protection)
              FROM isolation_waivers WHERE revoked_at IS NOT NULL
        )
        SELECT key AS "key!", at AS "at!", verb AS "verb!", actor AS "actor!", reason, detail AS "detail!"
          FROM declared
         WHERE actor NOT LIKE 'system:%'
           AND ($1::text[] IS NULL OR actor = ANY ($1))
           AND ($2::timestamptz IS NULL OR at >= $2)
           AND ($3::timestamptz IS NULL OR at < $3)
           AND ($4::timestamptz IS NULL OR at < $4 OR (at = $4 AND key COLLATE "C" < $5::text COLLATE "C"))
         ORDER BY at DESC, key COLLATE "C" DESC
         LIMIT $6
        "#,
        filter.actors.as_deref() as Option<&[String]>,
        filter.from,
        filter.before,
        after_at,
        after_key,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
