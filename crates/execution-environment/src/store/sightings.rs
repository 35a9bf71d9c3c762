//! Environments of ours that no row knows.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{RuntimeKind, RuntimeUid, StoreError};

/// Says since when an orphan is known. One sighting proves nothing: a second, a period later,
/// allows deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// How long ago that was, by the database's clock; zero at the first sighting.
    pub age: Duration,
}

/// Records that an environment of ours without a row was seen, and says since when.
pub async fn sight_orphan(
    conn: &mut PgConnection,
    runtime: RuntimeKind,
    uid: &RuntimeUid,
) -> Result<Sighting, StoreError> {
    let row = sqlx::query!(
        r#"
        INSERT INTO orphan_sightings (runtime, runtime_uid) VALUES ($1, $2)
        ON CONFLICT (runtime, runtime_uid) DO UPDATE SET last_seen = now()
        RETURNING first_seen, last_seen
        "#,
        runtime as RuntimeKind,
        uid.as_str()
    )
    .fetch_one(conn)
    .await?;
    let age = (row.last_seen - row.first_seen)
        .to_std()
        .unwrap_or_default();
    Ok(Sighting {
        first_seen: row.first_seen,
        age,
    })
}

/// Says since how long ago each orphan of a runtime is known, as of its last sighting.
pub async fn sightings(
    conn: &mut PgConnection,
    runtime: RuntimeKind,
) -> Result<HashMap<RuntimeUid, Duration>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT runtime_uid AS "uid: RuntimeUid", first_seen, last_seen
           FROM orphan_sightings WHERE runtime = $1"#,
        runtime as RuntimeKind,
    )
    .fetch_all(conn)
    .await?;
    let known = rows.into_iter().map(|row| {
        let age = (row.last_seen - row.first_seen).to_std();
        (row.uid, age.unwrap_or_default())
    });
    Ok(known.collect())
}

/// Forgets every sighting of a runtime that is not among the orphans seen just now.
///
/// What was an orphan in one listing and is none in the next begins anew. Returns how many.
pub async fn forget_sightings(
    conn: &mut PgConnection,
    runtime: RuntimeKind,
    still_seen: &[RuntimeUid],
) -> Result<u64, StoreError> {
    let still_seen: Vec<String> = still_seen
        .iter()
        .map(|uid| uid.as_str().to_owned())
        .collect();
    let done = sqlx::query!(
        "DELETE FROM orphan_sightings WHERE runtime = $1 AND NOT (runtime_uid = ANY($2))",
        runtime as RuntimeKind,
        &still_seen
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
