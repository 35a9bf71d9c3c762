//! No fault at all: many jobs, several processes.

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{Note, Task};

use crate::bench::Bench;
use crate::worker_plan::WorkerPlan;

const JOBS: usize = 20_000;
const BATCH: usize = 1_000;
const LIMIT: Duration = Duration::from_mins(10);

#[tokio::test]
async fn twenty_thousand_jobs_on_four_processes_have_each_effect_once() {
    let mut bench = Bench::start(Weight::Whole).await;
    for name in ["one", "two", "three", "four"] {
        // As in production: on a busy machine a short lease is lost although nobody died.
        bench.work(&WorkerPlan {
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            ..WorkerPlan::named(name).slots(16)
        });
    }
    let jobs: Vec<_> = (0..JOBS)
        .map(|it| Note(Task::new(format!("effect {it}"))))
        .collect();
    for batch in jobs.chunks(BATCH) {
        bench.put(batch).await;
    }
    let evidence = bench.judge(LIMIT).await;
    assert_eq!(evidence.ledger.len(), JOBS);
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
