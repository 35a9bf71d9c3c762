//! A worker dies while it takes over what another one left: the queue's own sweep is killed, before
//! and after its statement was committed.

use std::sync::atomic::{AtomicBool, Ordering};

use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::wire::holds;
use crate::worker_plan::{LEASE, WorkerPlan};

/// The job of a worker that was killed in it.
async fn left_behind(bench: &mut Bench) -> sqlx::types::Uuid {
    let id = bench
        .put_one(Note(Task::new("left behind").working(SOON)))
        .await;
    let first = bench.work(&WorkerPlan::named("first"));
    bench.await_run(id, "running", 1).await;
    bench.workers[first].kill();
    id
}

#[tokio::test]
async fn a_kill_before_the_recovery_is_committed_costs_nothing() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let warm_up = bench.put_one(Note(Task::new("warm-up"))).await;
    let second = bench.work(&WorkerPlan::named("second").through(url));
    bench.await_run(warm_up, "done", 1).await;
    proxy.hold();
    let id = left_behind(&mut bench).await;
    // Its look for expired leases is under way, and stays there.
    tokio::time::sleep(LEASE * 2).await;
    bench.workers[second].kill();
    proxy.cut();
    bench.work(&WorkerPlan::named("third"));
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
    assert_eq!(evidence.job(id).crash_count, 1);
}

#[tokio::test]
async fn a_kill_after_the_recovery_was_committed_costs_one_lease_more() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let id = left_behind(&mut bench).await;
    // And every answer after that one, so that it cannot come back and say that it never heard.
    let is_lost = AtomicBool::new(false);
    proxy.lose_answers(move |answer| {
        let is_meant = holds(answer, b"left behind");
        is_lost.fetch_or(is_meant, Ordering::SeqCst) || is_meant
    });
    let second = bench.work(&WorkerPlan::named("second").through(url));
    bench.await_run(id, "running", 2).await;
    bench.workers[second].kill();
    proxy.cut();
    bench.work(&WorkerPlan::named("third"));
    let evidence = bench.judge(SOON).await;
    assert_eq!(
        evidence.outcomes(id),
        ["lease_expired", "lease_expired", "done"]
    );
    let job = evidence.job(id);
    assert_eq!((job.attempt, job.crash_count, job.run_token), (1, 2, 3));
}
