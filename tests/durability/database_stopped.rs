//! PostgreSQL is stopped under workers and producers, and comes back: the ends of that time are told late
//! (fault F7 of stock storage, where an answer that failed once was lost).

use std::time::{Duration, Instant, SystemTime};

use system_tests::ledger::{External, Note, Task};
use system_tests::postgres::Stop;
use system_tests::wait::SOON;
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::producer::Producer;
use crate::worker_plan::{LEASE, WorkerPlan};

#[tokio::test]
async fn a_fast_stop_of_two_seconds_loses_nothing() {
    survives(Stop::Fast, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn an_immediate_stop_of_two_seconds_loses_nothing() {
    survives(Stop::Immediate, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_long_time_without_a_database_ends_no_worker_and_loses_no_answer() {
    let away = Intensity::of_this_run().choose(40, 300);
    survives(Stop::Immediate, Duration::from_secs(away)).await;
}

/// Jobs come, run and end the whole time; some end while nobody can be told.
async fn survives(stop: Stop, pause: Duration) {
    let mut bench = Bench::with_own_postgres(Weight::Light, &[]).await;
    // Long enough that it still runs when the database goes, and over before it is back.
    let during = pause / 2 + Duration::from_secs(6);
    let told_late = Task::new("told late").lingering(during);
    let told_late = bench.put_one(External(told_late)).await;
    let alone = bench.work(&WorkerPlan::named("alone"));
    bench.await_effect("told late").await;
    let begun = Instant::now();
    let producer = Producer::start(&bench.database.url, "steady");
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.await_run(told_late, "running", 1).await;
    bench.postgres().stop(stop).await;
    tokio::time::sleep(pause).await;
    let over = begun + during + Duration::from_secs(1);
    tokio::time::sleep_until(over.into()).await;
    let away_until = SystemTime::now();
    bench.postgres().start_again().await;
    let back = Instant::now();
    // Its own worker is the only one, so nobody else can have taken the job meanwhile.
    bench.await_run(told_late, "done", 1).await;
    assert!(back.elapsed() < LEASE * 6, "took {:?}", back.elapsed());
    let after: Vec<_> = (0..20)
        .map(|it| Note(Task::new(format!("after {it}"))))
        .collect();
    bench.put(&after).await;
    bench.intents.extend(producer.stop().await);
    let evidence = bench.judge(SOON).await;
    assert_eq!(
        evidence.outcomes(told_late),
        ["done"],
        "the answer was kept, not the work redone"
    );
    let told_at = evidence.attempts.iter().find(|run| run.job_id == told_late);
    let away_until = away_until.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let away_until = i64::try_from(away_until.as_millis()).unwrap();
    assert!(
        told_at.unwrap().finished_at_ms >= away_until,
        "it ended while nobody could be told"
    );
    let drained = bench.drain(alone).await;
    assert_eq!(drained.unanswered, 0);
}
