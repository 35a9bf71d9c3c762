//! What a trial must know of this database.

use chrono::{DateTime, Utc};
use session_identity::InstallId;
use sqlx::PgConnection;

use crate::{ExamDefinition, StoreError};

/// Holds what of the database a trial's environment bears.
pub(crate) struct TrialFacts {
    pub(crate) install_id: InstallId,
    /// When the trial is over whatever becomes of whoever makes it, by the database's clock.
    pub(crate) deadline: DateTime<Utc>,
}

/// Reads the installation and the end of a trial that begins now.
pub(crate) async fn load_trial_facts(
    conn: &mut PgConnection,
    exam: &ExamDefinition,
) -> Result<TrialFacts, StoreError> {
    let facts = sqlx::query_as!(
        TrialFacts,
        r#"
        SELECT install_id AS "install_id: InstallId", now() + make_interval(secs => $1) AS "deadline!"
          FROM installation
        "#,
        exam.startup_budget().as_secs_f64()
    )
    .fetch_one(conn)
    .await?;
    Ok(facts)
}
