//! SIGTERM while jobs run and others wait.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::worker_plan::WorkerPlan;

#[tokio::test]
async fn a_terminated_worker_gives_back_what_it_cannot_finish_without_charging_it() {
    let mut bench = Bench::start(Weight::Light).await;
    let hour = Duration::from_hours(1);
    let listens = bench
        .put_one(Note(Task::new("listens").working(hour)))
        .await;
    let stubborn = bench
        .put_one(Note(Task::new("stubborn").working(hour).stubborn()))
        .await;
    let brief = Task::new("brief")
        .working(Duration::from_secs(2))
        .stubborn();
    // The brief one is seen while it runs, and ends in time, on a busy machine too.
    let plan = WorkerPlan {
        drain_grace: Duration::from_secs(6),
        ..WorkerPlan::named("ending").slots(3)
    };
    let ending = bench.work(&plan);
    for id in [listens, stubborn] {
        bench.await_run(id, "running", 1).await;
    }
    let brief = bench.put_one(Note(brief)).await;
    bench.await_run(brief, "running", 1).await;
    bench.workers[ending].signal(Signal::TERM);
    let asked = Instant::now();
    let waiting = bench.put_one(Note(Task::new("waiting"))).await;
    // A second SIGTERM neither hurries nor breaks the drain.
    let drained = bench.drain(ending).await;
    assert!(asked.elapsed() < plan.drain_grace + 3 * plan.cancel_grace + SOON);
    assert_eq!(
        (drained.recorded, drained.released, drained.unanswered),
        (3, 2, 0)
    );
    for (id, state) in [(listens, "ready"), (stubborn, "ready"), (brief, "done")] {
        bench.await_run(id, state, 1).await;
    }
    bench.await_run(waiting, "ready", 0).await;
    bench.work(&WorkerPlan::named("next"));
    let evidence = bench.judge(SOON).await;
    for id in [listens, stubborn] {
        assert_eq!(evidence.outcomes(id), ["released", "done"]);
        assert_eq!(
            (evidence.job(id).attempt, evidence.job(id).crash_count),
            (1, 0)
        );
    }
    assert_eq!(evidence.outcomes(brief), ["done"]);
}
