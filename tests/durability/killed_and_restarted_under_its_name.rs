//! A worker is killed and comes back under the same name, at once or after minutes: its jobs are not
//! taken for those of the living.

use std::time::{Duration, Instant};

use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::worker_plan::{LEASE, WorkerPlan};

/// A poll and a busy machine.
const MARGIN: Duration = Duration::from_secs(4);

/// A start, a connection and a poll, where nothing of the lease is left to hide them in.
const START: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_jobs_of_a_killed_worker_are_recovered_within_its_lease_under_the_same_name() {
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
    let same = bench.work(&WorkerPlan::named("the-same-name"));
    for id in &ids {
        bench.await_run(*id, "running", 1).await;
    }
    bench.workers[same].kill();
    tokio::time::sleep(away).await;
    let restarted = Instant::now();
    bench.workers[same].start_again();
    for id in &ids {
        bench.await_run(*id, "done", 2).await;
    }
    // What was left of the lease, and not a second one.
    let took = restarted.elapsed();
    let margin = if away > LEASE { START } else { MARGIN };
    assert!(took < LEASE.saturating_sub(away) + margin, "took {took:?}");
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
        let job = evidence.job(id);
        assert_eq!((job.attempt, job.crash_count), (1, 1));
    }
}
