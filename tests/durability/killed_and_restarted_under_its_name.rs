//! A worker is killed and comes back under the same name, at once or after minutes: its jobs are not
//! taken for those of the living (fault F1 of stock storage, where they ran for ever).

use std::time::Duration;

use sqlx::PgPool;
use sqlx::types::Uuid;
use sqlx::types::chrono::{DateTime, Utc};
use system_tests::ledger::{Note, Task};
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::WorkerPlan;

const NAME: &str = "the-same-name";

#[tokio::test]
async fn the_jobs_of_a_killed_worker_are_recovered_under_its_name_once_the_leases_it_left_are_over()
{
    recovers_after(Duration::ZERO).await;
}

#[tokio::test]
async fn a_worker_that_was_away_for_long_finds_the_jobs_of_its_former_life() {
    for away in Intensity::of_this_run().choose(&[10][..], &[60, 240]) {
        recovers_after(Duration::from_secs(*away)).await;
    }
}

/// Kills the only worker with jobs in hand and starts it again after a pause.
async fn recovers_after(away: Duration) {
    let mut bench = Bench::start(Weight::Light).await;
    let long = |number: i32| Note(Task::new(format!("long {number}")).working(SOON));
    let ids = bench.put(&[long(1), long(2), long(3)]).await;
    let url = format!("{}?application_name={NAME}", bench.database.url);
    let same = bench.work(&WorkerPlan::named(NAME).through(url));
    for id in &ids {
        bench.await_run(*id, "running", 1).await;
    }
    bench.workers[same].kill();
    // Its last heartbeat may be on its way still.
    until("its connections have ended", SOON, async || {
        let there = evidence::connections(bench.pool(), NAME).await.unwrap();
        (there == 0).then_some(())
    })
    .await;
    let left = first_leases(bench.pool()).await;
    assert_eq!(left.len(), ids.len());
    tokio::time::sleep(away).await;
    bench.workers[same].start_again();
    // What is left of the leases, and not a second one.
    until("no job is its former life's", SOON, async || {
        let leases = first_leases(bench.pool()).await;
        let untouched = leases.iter().all(|it| left.contains(it));
        assert!(untouched, "{leases:?} of {left:?}");
        leases.is_empty().then_some(())
    })
    .await;
    for id in &ids {
        bench.await_run(*id, "done", 2).await;
    }
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
        let job = evidence.job(id);
        assert_eq!((job.attempt, job.crash_count), (1, 1));
    }
}

/// Until when the jobs are leased that are at their first run.
async fn first_leases(pool: &PgPool) -> Vec<(Uuid, DateTime<Utc>)> {
    let running = sqlx::query!(
        r#"SELECT id, lease_until AS "lease_until!" FROM jobs
           WHERE state = 'running' AND run_token = 1"#
    );
    let running = running.fetch_all(pool).await.unwrap();
    running
        .iter()
        .map(|job| (job.id, job.lease_until))
        .collect()
}
