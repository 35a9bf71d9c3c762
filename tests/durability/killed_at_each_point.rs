//! A worker process is killed at each point of a run's life, and at those of the queue's own loops.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use system_tests::Weight;
use system_tests::ledger::{External, Note, Point, Task};
use system_tests::wait::SOON;

use crate::bench::Bench;
use crate::wire::ends_any;
use crate::worker_plan::WorkerPlan;

const SIGKILL: i32 = 9;

#[tokio::test]
async fn a_kill_at_any_point_of_a_run_loses_nothing_and_costs_one_run_at_most() {
    let points = [
        Point::Started,
        Point::MidEffect,
        Point::AfterEffect,
        Point::AfterRecord,
    ];
    let mut bench = Bench::start(Weight::Suite).await;
    let mut ids = Vec::new();
    for point in points {
        let task = Task::new(format!("note {point:?}")).killing_at(point);
        ids.push(bench.put_one(Note(task)).await);
    }
    let task = Task::new("external AfterEffect").killing_at(Point::AfterEffect);
    ids.push(bench.put_one(External(task)).await);
    // A slot each, so that each kill meets its own job and no other.
    let plan = WorkerPlan::named("w").slots(1);
    for _ in &ids {
        bench.work(&plan);
    }
    // All of them first: one that came back early would take the first run of another's job.
    for number in 0..ids.len() {
        assert_eq!(bench.await_end(number).await.signal(), Some(SIGKILL));
    }
    for worker in &mut bench.workers {
        worker.start_again();
    }
    let more: Vec<_> = (0..40)
        .map(|it| Note(Task::new(format!("more {it}"))))
        .collect();
    bench.put(&more).await;
    let evidence = bench.judge(SOON).await;
    let runs: Vec<i64> = ids.iter().map(|id| evidence.job(*id).run_token).collect();
    // What was committed before the kill is not run again.
    assert_eq!(runs, [2, 2, 2, 1, 2]);
    for id in ids {
        assert!(evidence.job(id).crash_count <= 1);
        assert_eq!(evidence.job(id).attempt, 1, "a kill is no attempt");
    }
}

#[tokio::test]
async fn a_kill_during_the_drain_leaves_the_job_to_others() {
    let mut bench = Bench::start(Weight::Light).await;
    let task = Task::new("long").working(SOON).killing_at(Point::Shutdown);
    let id = bench.put_one(Note(task)).await;
    let dying = bench.work(&WorkerPlan::named("dying"));
    bench.await_run(id, "running", 1).await;
    bench.workers[dying].signal(rustix::process::Signal::TERM);
    assert_eq!(bench.await_end(dying).await.signal(), Some(SIGKILL));
    bench.work(&WorkerPlan::named("other"));
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
}

#[tokio::test]
async fn a_kill_before_a_batch_of_ends_is_sent_costs_each_of_them_one_run() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let ids = bench.put(&batch("before")).await;
    let dying = bench.work(&WorkerPlan::named("dying").through(url));
    for number in 0..ids.len() {
        bench.await_effect(&format!("before {number}")).await;
    }
    // The handlers end into the silence, and the worker dies with what it wanted to say.
    proxy.hold();
    tokio::time::sleep(LINGER + Duration::from_secs(4)).await;
    bench.workers[dying].kill();
    proxy.cut();
    bench.work(&WorkerPlan::named("other"));
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(evidence.outcomes(id), ["lease_expired", "done"]);
    }
}

#[tokio::test]
async fn a_kill_after_a_batch_of_ends_was_written_and_before_the_answer_costs_no_run() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let ids = bench.put(&batch("after")).await;
    let dying = bench.work(&WorkerPlan::named("dying").through(url));
    for number in 0..ids.len() {
        bench.await_effect(&format!("after {number}")).await;
    }
    let meant = ids.clone();
    proxy.lose_answers_to(move |request| ends_any(request, &meant));
    for id in &ids {
        bench.await_run(*id, "done", 1).await;
    }
    bench.workers[dying].kill();
    proxy.cut();
    bench.work(&WorkerPlan::named("other"));
    let evidence = bench.judge(SOON).await;
    for id in ids {
        assert_eq!(evidence.outcomes(id), ["done"]);
    }
}

/// How long the handlers of a batch go on after their effects.
const LINGER: Duration = Duration::from_secs(10);

fn batch(name: &str) -> Vec<External> {
    let task = |number| Task::new(format!("{name} {number}")).lingering(LINGER);
    (0..6).map(|number| External(task(number))).collect()
}
