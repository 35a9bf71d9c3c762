//! No fault at all: many jobs, several processes.

use std::time::Duration;

use system_tests::ledger::{Note, Task};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::worker_plan::WorkerPlan;

const BATCH: usize = 1_000;
/// Jobs a second of a machine that is busy with everything else.
const SLOWEST: usize = 30;

#[tokio::test]
async fn many_jobs_on_many_processes_have_each_effect_once() {
    let (jobs, processes) = Intensity::of_this_run().choose((20_000, 4), (100_000, 8));
    let mut bench = Bench::start(Weight::Suite).await;
    for process in 0..processes {
        // As in production: on a busy machine a short lease is lost although nobody died.
        bench.work(&WorkerPlan {
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            ..WorkerPlan::named(format!("worker-{process}")).slots(16)
        });
    }
    let all: Vec<_> = (0..jobs)
        .map(|it| Note(Task::new(format!("effect {it}"))))
        .collect();
    for batch in all.chunks(BATCH) {
        bench.put(batch).await;
    }
    let evidence = bench
        .judge(Duration::from_secs((jobs / SLOWEST) as u64))
        .await;
    assert_eq!(evidence.ledger.len(), jobs);
    assert!(
        evidence
            .jobs
            .iter()
            .all(|job| job.run_token == 1 && job.attempt == 1)
    );
    for worker in 0..bench.workers.len() {
        assert!(
            bench.drain(worker).await.recorded > 0,
            "every process has had its share"
        );
    }
}
