//! Can this process do its work now?

use std::time::Duration;

use environment_access::TokenVerifier;
use sqlx::PgPool;
use sqlx::migrate::{Migrate, MigrateError};
use telemetry::Readiness;

use crate::state::ApiState;

/// Probes have deadlines of their own; a pool that waits longer is not ready.
const DEADLINE: Duration = Duration::from_secs(2);

/// Looks for keys to verify logins with, then at the database.
pub(crate) async fn check(state: &ApiState) -> Readiness {
    match of_keys(&state.verifier) {
        Readiness::Ready => of_database(&state.pool).await,
        not_ready @ Readiness::NotReady { .. } => not_ready,
    }
}

/// Keys that were fetched once stay in use, so an issuer's outage makes nobody unready; nor does one that
/// takes all of them back.
fn of_keys(verifier: &TokenVerifier) -> Readiness {
    verifier.why_not_ready().map_or(Readiness::Ready, not_ready)
}

/// Asks the database which migrations it holds and compares them with this build's.
///
/// A newer schema is compatible, since migrations only expand before they contract; an older one,
/// or one that another build wrote differently, is not. The answer names no host and no error text:
/// the port is public.
async fn of_database(pool: &PgPool) -> Readiness {
    match tokio::time::timeout(DEADLINE, missing_migration(pool)).await {
        Ok(Ok(None)) => Readiness::Ready,
        Ok(Ok(Some(version))) => not_ready(&format!(
            "the database lacks migration {version} of this build; run carrel migrate"
        )),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database's schema could not be read");
            not_ready("the database does not answer, or was never migrated")
        }
        Err(_) => not_ready("the database does not answer in time"),
    }
}

/// Returns the first migration of this build that the database does not hold as we know it.
async fn missing_migration(pool: &PgPool) -> Result<Option<i64>, MigrateError> {
    let mut conn = pool.acquire().await.map_err(MigrateError::Execute)?;
    let table = &migrations::MIGRATOR.table_name;
    if let Some(dirty) = conn.dirty_version(table).await? {
        return Ok(Some(dirty));
    }
    let applied = conn.list_applied_migrations(table).await?;
    let ours = migrations::MIGRATOR.iter().find(|ours| {
        !applied
            .iter()
            .any(|it| it.version == ours.version && it.checksum == ours.checksum)
    });
    Ok(ours.map(|migration| migration.version))
}

fn not_ready(reason: &str) -> Readiness {
    Readiness::NotReady {
        reason: reason.to_owned(),
    }
}
