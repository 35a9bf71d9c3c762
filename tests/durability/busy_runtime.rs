//! A handler spins on the only thread of its worker's runtime and never yields it.

use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{SPIN_TIMEOUT, Spin, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::evidence;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn a_worker_without_a_free_thread_keeps_its_lease() {
    let mut bench = Bench::start(Weight::Light).await;
    let within_its_time = LEASE + Duration::from_millis(1_500);
    assert!(within_its_time < SPIN_TIMEOUT);
    let id = bench
        .put_one(Spin(Task::new("spun").working(within_its_time)))
        .await;
    bench.work(&starved("starved"));
    bench.await_run(id, "running", 1).await;
    bench.work(&WorkerPlan::named("other"));
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["done"]);
    assert_eq!(evidence.job(id).run_token, 1);
}

#[tokio::test]
async fn a_worker_without_a_free_thread_loses_the_job_at_its_deadline() {
    let mut bench = Bench::start(Weight::Light).await;
    let id = bench
        .put_one(Spin(Task::new("spun").working(SPIN_TIMEOUT * 3)))
        .await;
    let plan = starved("starved");
    let starved = bench.work(&plan);
    bench.await_run(id, "running", 1).await;
    let other = bench.work(&WorkerPlan::named("other"));
    bench.await_run(id, "done", 2).await;
    // By the rows: whoever looks from outside sees how busy the machine is, too.
    let beyond = evidence::lease_beyond_deadline_ms(bench.pool(), id).await;
    let beyond = beyond.unwrap();
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    assert!(
        beyond > 0,
        "the lease ended {} ms before the deadline",
        -beyond
    );
    // Twice the grace and a second is the longest that a lease outlives its deadline.
    let longest = ms(plan.cancel_grace * 2 + Duration::from_secs(1));
    assert!(
        beyond <= longest,
        "renewed to {beyond} ms beyond the deadline"
    );
    // The one that spins comes to its own end much later, and is told that it is nobody's.
    let drained = bench.drain(starved).await;
    assert_eq!((drained.recorded, drained.stale), (0, 1));
    assert_eq!(bench.drain(other).await.recorded, 1);
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
}

fn starved(name: &str) -> WorkerPlan {
    WorkerPlan {
        threads: 1,
        ..WorkerPlan::named(name)
    }
}
