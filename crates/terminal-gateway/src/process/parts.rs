//! What runs beside the terminals for as long as the process.

use std::sync::Arc;

use execution_environment::Purpose;
use job_queue::show_database_link;
use telemetry::metrics::Metric;
use telemetry::{AdminServer, BoxFuture, MetricsHandle, Readiness};
use tokio_util::sync::CancellationToken;

use crate::readiness;
use crate::spool::show_health;
use crate::state::GatewayState;

/// An outage of the runtime ends nothing here: probes say it, and attaches are tried again.
pub(super) async fn watch_runtime(state: Arc<GatewayState>, stopped: CancellationToken) {
    // Which exams can be run is for whoever creates environments.
    let none = async || Vec::new();
    let watch = state.health.watch(&*state.runtime, Purpose::Attach, none);
    stopped.run_until_cancelled(watch).await;
}

/// Sets the gauges that are read off the process's parts.
async fn show(state: &GatewayState) {
    state.verifier.show_key_freshness();
    show_database_link(&state.pool).await;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge of bytes is read in kibibytes"
    )]
    let unacked = state.registry.unacked() as f64;
    Metric::TerminalUnackedBytes.set(unacked, &[]);
    if let Some(recorder) = &state.recorder {
        show_health(recorder);
    }
}

pub(super) async fn serve_admin(
    admin: AdminServer,
    metrics: MetricsHandle,
    state: Arc<GatewayState>,
    stopped: CancellationToken,
) {
    let scraped = Arc::clone(&state);
    let refresh = move || -> BoxFuture<()> {
        let state = Arc::clone(&scraped);
        Box::pin(async move { show(&state).await })
    };
    let ready = move || -> BoxFuture<Readiness> {
        let state = state.clone();
        Box::pin(async move { readiness::check(&state).await })
    };
    admin
        .before_scrape(refresh)
        .run(metrics, ready, stopped.cancelled())
        .await;
}
