//! A worker is stopped for longer than its leases and goes on, believing that its jobs are its own
//! (fault F4 of stock storage, which believed it too).

use rustix::process::Signal;
use system_tests::Weight;
use system_tests::ledger::{External, Note, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn what_a_worker_does_after_its_lease_is_refused_and_every_effect_is_there_once() {
    let mut bench = Bench::start(Weight::Light).await;
    // Neither listens when told that its lease is lost: the fence alone has to hold.
    let task = |effect: &str| Task::new(effect).working(LEASE / 2).slow_twice().stubborn();
    let recorded = bench.put_one(Note(task("recorded"))).await;
    let sent = bench.put_one(External(task("sent"))).await;
    let frozen = bench.work(&WorkerPlan::named("frozen"));
    for id in [recorded, sent] {
        bench.await_run(id, "running", 1).await;
    }
    bench.workers[frozen].signal(Signal::STOP);
    let other = bench.work(&WorkerPlan::named("other"));
    for id in [recorded, sent] {
        bench.await_run(id, "running", 2).await;
    }
    // Time went on without it, so it tells its ends at once, while the second runs are under way:
    // only the token tells them apart.
    bench.workers[frozen].signal(Signal::CONT);
    let drained = bench.drain(frozen).await;
    for id in [recorded, sent] {
        bench.await_run(id, "done", 2).await;
    }
    assert_eq!((drained.stale, drained.recorded), (2, 0));
    assert_eq!(bench.drain(other).await.recorded, 2);
    let evidence = bench.judge(SOON).await;
    for id in [recorded, sent] {
        assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
    }
    let noted = evidence
        .ledger
        .iter()
        .find(|entry| entry.job_id == recorded);
    assert_eq!(
        noted.map(|entry| entry.run_token),
        Some(2),
        "the first run's was rolled back"
    );
}
