//! What the runtime has and what the rows say, and the plan that follows.

use execution_environment::{EnvironmentRuntime, Listed, install_id};
use sqlx::PgPool;

use crate::error::SweepError;
use crate::plan::{KnownSession, ListedEnvironment, SweepInput, SweepPlan, plan};
use crate::policy::ExpiryPolicy;
use crate::store::{any_session, load_known_sessions};

/// One look at the whole.
#[derive(Debug)]
pub struct Survey {
    /// What the runtime listed.
    pub listed: Vec<Listed>,
    /// What the rows say of it, and of what should have been listed.
    pub known: Vec<KnownSession>,
    /// What a sweep would do.
    pub plan: SweepPlan,
}

/// Lists the runtime, reads the rows and plans. Changes nothing, and holds no connection while the
/// runtime is asked.
///
/// # Errors
/// [`SweepError`] if the runtime or the database fails.
pub async fn survey(
    pool: &PgPool,
    runtime: &dyn EnvironmentRuntime,
    policy: &ExpiryPolicy,
) -> Result<Survey, SweepError> {
    let install_id = install_id(&mut *pool.acquire().await?).await?;
    // The runtime is listed first and the rows are read after: a row is written before its
    // environment is made, so what has no row by then was not just being created.
    let listed = runtime.list(install_id).await?;
    let mut connection = pool.acquire().await?;
    let sessions: Vec<_> = listed
        .iter()
        .map(|listed| listed.labels.session_id)
        .collect();
    let input = SweepInput {
        install_id,
        any_session: any_session(&mut connection).await?,
        listed: listed.iter().map(ListedEnvironment::from).collect(),
        known: load_known_sessions(&mut connection, &sessions).await?,
    };
    let plan = plan(&input, policy);
    Ok(Survey {
        listed,
        known: input.known,
        plan,
    })
}
