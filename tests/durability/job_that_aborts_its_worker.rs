//! A job that takes its whole process with it, every time (fault F2 of stock storage: without end).

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{Abort, Note, Task};
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::WorkerPlan;

const THREE_LEASES: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_job_that_aborts_its_process_is_parked_after_three_and_others_are_done() {
    let mut bench = Bench::start(Weight::Light).await;
    let poison = bench.put_one(Abort(Task::new("never"))).await;
    // One slot each: whoever meets the poison meets it alone.
    let plan = WorkerPlan::named("w").slots(1);
    let workers = [bench.work(&plan), bench.work(&plan)];
    let others: Vec<_> = (0..30)
        .map(|it| Note(Task::new(format!("other {it}"))))
        .collect();
    bench.put(&others).await;
    let mut deaths = 0;
    until("the poison is parked", THREE_LEASES, async || {
        for worker in workers {
            let process = &mut bench.workers[worker];
            if process.ended().is_some() {
                deaths += 1;
                process.start_again();
            }
        }
        let job = evidence::job(bench.pool(), poison).await.ok()?;
        (job.state == "dead").then_some(())
    })
    .await;
    assert_eq!(deaths, 3);
    let evidence = bench.judge(SOON).await;
    let job = evidence.job(poison);
    assert_eq!((job.crash_count, job.run_token), (3, 3));
    assert_eq!(job.outcome_class.as_deref(), Some("crashed_worker"));
    assert_eq!(evidence.outcomes(poison), ["lease_expired"; 3]);
}
