//! What a trial must know of this database.

use chrono::{DateTime, Utc};
use session_identity::InstallId;
use sqlx::PgConnection;

use crate::StoreError;

/// Holds what of the database a trial begins with.
pub(crate) struct TrialFacts {
    pub(crate) install_id: InstallId,
    /// The database's clock.
    pub(crate) now: DateTime<Utc>,
}

/// Reads the installation and the time.
pub(crate) async fn load_trial_facts(conn: &mut PgConnection) -> Result<TrialFacts, StoreError> {
    let facts = sqlx::query_as!(
        TrialFacts,
        r#"SELECT install_id AS "install_id: InstallId", now() AS "now!" FROM installation"#
    )
    .fetch_one(conn)
    .await?;
    Ok(facts)
}
