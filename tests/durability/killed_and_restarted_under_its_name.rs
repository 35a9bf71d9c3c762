//! A worker is killed and comes back at once under the same name: its jobs are not taken for those
//! of the living.

use std::time::{Duration, Instant};

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn the_jobs_of_a_killed_worker_are_recovered_within_its_lease_under_the_same_name() {
    let mut bench = Bench::start(Weight::Light).await;
    let long = |number: i32| Note(Task::new(format!("long {number}")).working(SOON));
    let ids = bench.put(&[long(1), long(2), long(3)]).await;
    let same = bench.work(&WorkerPlan::named("the-same-name"));
    for id in &ids {
        bench.await_run(*id, "running", 1).await;
    }
    bench.workers[same].kill();
    let killed = Instant::now();
    bench.workers[same].start_again();
    for id in &ids {
        bench.await_run(*id, "done", 2).await;
    }
    // The lease, a poll and a busy machine, and not a second lease.
    let took = killed.elapsed();
    assert!(took < LEASE + Duration::from_secs(4), "took {took:?}");
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
        assert_eq!(
            (evidence.job(id).attempt, evidence.job(id).crash_count),
            (1, 1)
        );
    }
}
