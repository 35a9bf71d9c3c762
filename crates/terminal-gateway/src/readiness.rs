//! Can this process take new terminals?

use std::time::Duration;

use environment_access::current_epochs;
use telemetry::Readiness;

use crate::state::GatewayState;

/// Probes have deadlines of their own; a database that takes longer is not there.
const DEADLINE: Duration = Duration::from_secs(2);

/// Runs the very statement the terminals live by: it proves connection and schema at once. The
/// answer names no host and no error text, since the port is public.
pub(crate) async fn check(state: &GatewayState) -> Readiness {
    if state.draining.is_cancelled() {
        return not_ready("the process is about to stop");
    }
    let asked = async {
        let mut conn = state.pool.acquire().await?;
        current_epochs(&mut conn, &[]).await
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(_)) => Readiness::Ready,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database could not be asked");
            not_ready("the database does not answer, or lacks a migration")
        }
        Err(_) => not_ready("the database does not answer in time"),
    }
}

fn not_ready(reason: &str) -> Readiness {
    Readiness::NotReady {
        reason: reason.to_owned(),
    }
}
