//! Somebody ends the database's backends at random, five a second.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use system_tests::wait::SOON;
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::producer::Producer;
use crate::worker_plan::WorkerPlan;

const BETWEEN: Duration = Duration::from_millis(200);

#[tokio::test]
async fn backends_that_end_at_random_lose_nothing_and_leave_nothing_stuck() {
    let mut bench = Bench::start(Weight::Light).await;
    let workers = ["one", "two"].map(|name| bench.work(&WorkerPlan::named(name)));
    let producer = Producer::start(&bench.database.url, "steady");
    let lasts = Duration::from_secs(Intensity::of_this_run().choose(20, 300));
    let begun = Instant::now();
    let mut ended = 0;
    while begun.elapsed() < lasts {
        ended += end_one(bench.pool()).await;
        tokio::time::sleep(BETWEEN).await;
    }
    assert!(ended > 20, "only {ended} backends were ended");
    bench.intents.extend(producer.stop().await);
    let evidence = bench.judge(SOON).await;
    assert!(evidence.jobs.iter().all(|job| job.state == "done"));
    for worker in workers {
        bench.workers[worker].assert_running();
        assert_eq!(bench.drain(worker).await.unanswered, 0);
    }
}

/// Ends one backend of the test's database that is not the asking one; says whether there was one.
async fn end_one(pool: &PgPool) -> i64 {
    let ended = sqlx::query_scalar!(
        r#"SELECT count(pg_terminate_backend(pid)) AS "ended!" FROM (
               SELECT pid FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()
               ORDER BY random() LIMIT 1) AS a"#
    );
    // The pool's own other connections are among them.
    ended.fetch_one(pool).await.unwrap_or(0)
}
