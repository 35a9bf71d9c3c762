//! The metrics of a worker, and what makes those move that no job does.

use std::net::SocketAddr;
use std::time::Duration;

use job_queue::{Schedule, Waker, show_database_link, tick};
use session_identity::WorkerIncarnation;
use sqlx::PgPool;
use telemetry::{AdminServer, MetricsHandle, Readiness};

const SCHEDULE: Schedule = Schedule {
    name: "ledger_tick",
    every: Duration::from_secs(1),
    is_pausable: true,
};

/// Serves metrics until the process ends.
pub(crate) async fn tell(
    address: SocketAddr,
    metrics: MetricsHandle,
    pool: PgPool,
    worker: WorkerIncarnation,
) {
    let admin = AdminServer::bind(address).await.expect("a free port");
    let waker = Waker::new(pool.clone());
    tokio::spawn(keep_schedule(pool.clone(), waker, worker));
    let admin = admin.before_scrape(move || {
        let pool = pool.clone();
        Box::pin(async move { show_database_link(&pool).await })
    });
    let ready = || -> telemetry::BoxFuture<Readiness> { Box::pin(async { Readiness::Ready }) };
    admin.run(metrics, ready, std::future::pending()).await;
}

async fn keep_schedule(pool: PgPool, waker: Waker, worker: WorkerIncarnation) {
    loop {
        let ticked = async { tick(&mut *pool.acquire().await?, SCHEDULE, worker).await };
        match ticked.await {
            Ok(Some(_)) => waker.wake(),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a tick failed"),
        }
        tokio::time::sleep(SCHEDULE.every / 4).await;
    }
}
