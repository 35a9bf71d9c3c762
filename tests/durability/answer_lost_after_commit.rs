//! The database has committed and its answer never arrives: whoever asked tries again, and there
//! is one row and one effect all the same.

use std::time::Duration;

use job_queue::{EnqueueOptions, Enqueued, enqueue};
use sqlx::{Connection as _, PgConnection};
use system_tests::Weight;
use system_tests::ledger::{External, LedgerJob as _, Note, Task};
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::checker::Intent;
use crate::evidence;
use crate::wire::{ends_any, holds};
use crate::worker_plan::WorkerPlan;

#[tokio::test]
async fn an_enqueue_whose_commit_was_not_answered_finds_its_own_job_when_tried_again() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let job = Note(Task::new("once").keyed("the-key"));
    let options = EnqueueOptions::default();
    let mut producer = PgConnection::connect(&url).await.unwrap();
    let mut tx = producer.begin().await.unwrap();
    let first = enqueue(&mut tx, &job, &options).await.unwrap();
    proxy.lose_answers_to(|request| holds(request, b"COMMIT"));
    tx.commit().await.expect_err("the answer is lost");
    proxy.pass();
    let mut producer = PgConnection::connect(&url).await.unwrap();
    let again = enqueue(&mut producer, &job, &options).await.unwrap();
    assert_eq!(again, Enqueued::AlreadyPresent(first.id()));
    let intent = Intent::acknowledged(again.id().as_uuid(), job.promised());
    bench.intents.push(intent);
    bench.work(&WorkerPlan::named("w"));
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.jobs.len(), 1);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_given_back_and_charged_as_no_crash() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let warm_up = bench.put_one(Note(Task::new("warm-up"))).await;
    bench.work(&WorkerPlan::named("w").through(url));
    bench.await_run(warm_up, "done", 1).await;
    proxy.lose_answers(|answer| holds(answer, b"claimed"));
    let tasks = (0..5).map(|number| Note(Task::new(format!("claimed {number}"))));
    let ids = bench.put(&tasks.collect::<Vec<_>>()).await;
    until("a claim was not answered", SOON, async || {
        let row = evidence::job(bench.pool(), ids[0]).await.ok()?;
        (row.run_token > 0).then_some(())
    })
    .await;
    proxy.pass();
    let evidence = bench.judge(SOON).await;
    for id in ids {
        let job = evidence.job(id);
        assert_eq!((job.attempt, job.crash_count), (1, 0));
        assert_eq!(evidence.outcomes(id), ["done"]);
    }
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_told_again_and_refused_without_harm() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let task = Task::new("sent").lingering(Duration::from_secs(5));
    let id = bench.put_one(External(task)).await;
    let worker = bench.work(&WorkerPlan::named("w").through(url));
    bench.await_effect("sent").await;
    proxy.lose_answers_to(move |request| ends_any(request, &[id]));
    bench.await_run(id, "done", 1).await;
    proxy.pass();
    let next = bench.put_one(External(Task::new("next"))).await;
    bench.await_run(next, "done", 1).await;
    let drained = bench.drain(worker).await;
    // The end that was told twice counts once, and the worker says that it was refused.
    assert_eq!(
        (drained.recorded, drained.stale, drained.unanswered),
        (1, 1, 0)
    );
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["done"]);
}

#[tokio::test]
async fn a_handlers_own_record_whose_commit_was_not_answered_counts_once() {
    let mut bench = Bench::start(Weight::Light).await;
    let (proxy, url) = bench.proxy().await;
    let task = Task::new("recorded").working(Duration::from_secs(3));
    let id = bench.put_one(Note(task)).await;
    let worker = bench.work(&WorkerPlan::named("w").through(url));
    bench.await_run(id, "running", 1).await;
    proxy.lose_answers_to(|request| holds(request, b"COMMIT"));
    bench.await_run(id, "done", 1).await;
    proxy.pass();
    let drained = bench.drain(worker).await;
    assert_eq!((drained.stale, drained.unanswered), (0, 0));
    let evidence = bench.judge(SOON).await;
    assert_eq!(evidence.outcomes(id), ["done"]);
}
