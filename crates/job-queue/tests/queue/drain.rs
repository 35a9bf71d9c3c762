//! A drain finishes what it can and gives back the rest uncharged.

use std::{sync::Arc, time::Duration};

use job_queue::{CancelReason, Outcome, Registry, WorkerConfig};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::support::{
    PATIENCE, Ping, handler, load, outcomes, ping, put, quick, start, wait_for_state,
};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_drain_waits_for_what_ends_in_time(pool: PgPool) {
    let started = Arc::new(Notify::new());
    let seen = started.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        seen.notify_one();
        async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            Outcome::Done
        }
    }));
    let patient = WorkerConfig {
        drain_grace: PATIENCE,
        ..quick("w")
    };
    let worker = start(&pool, registry, patient);
    let id = put(&pool, &ping(1)).await;
    // What is claimed and has not started is given back.
    started.notified().await;
    let report = worker.drain().await;
    assert_eq!((report.recorded, report.released), (1, 0));
    assert_eq!(load(&pool, id).await.state, "done");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_drain_releases_what_does_not_end_without_charging_it(pool: PgPool) {
    let asked = Arc::new(Notify::new());
    let seen = asked.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |job: Ping, context| {
        let asked = seen.clone();
        async move {
            context.cancellation.cancelled().await;
            assert_eq!(context.cancel_reason(), Some(CancelReason::Shutdown));
            asked.notify_one();
            // One gives up when asked; the other has to be dropped.
            if job.number == 1 {
                Outcome::Cancelled
            } else {
                std::future::pending().await
            }
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let polite = put(&pool, &ping(1)).await;
    let stubborn = put(&pool, &ping(2)).await;
    wait_for_state(&pool, polite, "running").await;
    wait_for_state(&pool, stubborn, "running").await;
    let report = worker.drain().await;
    assert_eq!((report.released, report.unanswered), (2, 0));
    for id in [polite, stubborn] {
        let job = load(&pool, id).await;
        assert_eq!(
            (job.state.as_str(), job.attempt, job.crash_count),
            ("ready", 0, 0)
        );
        assert_eq!(outcomes(&pool, id).await, ["released"]);
    }
    let stopped = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM workers
           WHERE draining_at IS NOT NULL AND stopped_at IS NOT NULL"#
    );
    assert_eq!(stopped.fetch_one(&pool).await.unwrap(), 1);
}
