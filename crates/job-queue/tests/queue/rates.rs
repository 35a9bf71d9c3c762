//! How many runs of a queue are started a second, over all workers.

use std::time::Duration;

use job_queue::{
    EnqueueOptions, Outcome, Registry, WhyNotRunning, enqueue_many, list_queues, why_not_running,
};
use sqlx::{PgPool, Row as _};
use tokio::time::Instant;

use crate::support::{PATIENCE, Ping, handler, ping, put, quick, set_rate, start, wait_for_state};

fn done_at_once() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }))
}

/// Runs until it is told to stop.
fn endless() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, context| async move {
        context.cancellation.cancelled().await;
        Outcome::Cancelled
    }))
}

/// How many have started, and how long after they were enqueued that is looked at: the clock is
/// read after the count.
async fn started(pool: &PgPool) -> (f64, f64) {
    let query = "WITH started AS MATERIALIZED (
                     SELECT count(*) FILTER (WHERE run_token > 0)::float8 AS count,
                            min(created_at) AS since FROM jobs)
                 SELECT count, extract(epoch FROM clock_timestamp() - since)::float8 FROM started";
    let row = sqlx::raw_sql(query).fetch_one(pool).await.unwrap();
    (row.get(0), row.get(1))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn four_workers_together_start_as_many_as_the_rate_of_their_queue_lets(pool: PgPool) {
    const RATE: f64 = 40.0;
    const JOBS: i32 = 100;
    set_rate(&pool, Some(RATE)).await;
    let workers: Vec<_> = (0..4)
        .map(|number| start(&pool, done_at_once(), quick(&format!("w{number}"))))
        .collect();
    // Their start is none of the time that is measured, in which they would keep to any rate.
    let jobs: Vec<_> = (0..JOBS).map(ping).collect();
    let mut connection = pool.acquire().await.unwrap();
    enqueue_many(&mut connection, &jobs, &EnqueueOptions::default())
        .await
        .unwrap();
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (count, seconds) = started(&pool).await;
        // A second's worth is there from the first.
        assert!(count <= RATE * (seconds + 1.0), "{count} in {seconds} s");
        if count >= f64::from(JOBS) {
            break;
        }
        assert!(Instant::now() < give_up, "{count} in {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for worker in workers {
        worker.drain().await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_that_the_rate_holds_says_so_and_starts_when_it_is_lifted(pool: PgPool) {
    const RARELY: f64 = 0.001;
    set_rate(&pool, Some(RARELY)).await;
    let worker = start(&pool, endless(), quick("w"));
    let first = put(&pool, &ping(1)).await;
    wait_for_state(&pool, first, "running").await;
    let second = put(&pool, &ping(2)).await;
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, second).await.unwrap();
    let held = reasons.iter().find_map(|reason| match reason {
        WhyNotRunning::RateReached {
            queue,
            rate_per_second,
            in_seconds,
        } => Some((queue.as_str(), *rate_per_second, *in_seconds)),
        _ => None,
    });
    let (queue, rate_per_second, in_seconds) = held.expect("the rate among the reasons");
    assert_eq!((queue, rate_per_second), ("test", RARELY));
    assert!(in_seconds > 0.0 && in_seconds <= 1_000.0, "{in_seconds}");
    let queues = list_queues(&mut connection).await.unwrap();
    assert_eq!(queues[0].rate_per_second, Some(RARELY));
    set_rate(&pool, None).await;
    wait_for_state(&pool, second, "running").await;
    worker.drain().await;
}

/// Most of the time there are tokens then, which the next look takes.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_backlog_says_that_a_quick_rate_holds_it(pool: PgPool) {
    set_rate(&pool, Some(20.0)).await;
    let next = put(&pool, &ping(1)).await;
    let later = put(&pool, &ping(2)).await;
    // Of a day to come, so that none are added meanwhile.
    sqlx::raw_sql("UPDATE queues SET tokens = 2, tokens_at = now() + interval '1 day'")
        .execute(&pool)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    for (job, is_held) in [(next, false), (later, true)] {
        let reasons = why_not_running(&mut connection, job).await.unwrap();
        let held = reasons
            .iter()
            .any(|reason| matches!(reason, WhyNotRunning::RateReached { in_seconds, .. } if *in_seconds == 0.0));
        assert_eq!(held, is_held, "{reasons:?}");
    }
}
