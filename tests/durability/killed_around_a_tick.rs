//! SIGKILL just before, at and just after the tick of a schedule that three processes ask for: each
//! period has one tick, or is written down as missed.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::types::chrono::{DateTime, Utc};
use system_tests::ledger::TICKING;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::tick_record::{EVERY, TickRecord};
use crate::worker_plan::WorkerPlan;

const WORKERS: usize = 3;

#[tokio::test]
async fn each_period_has_one_tick_or_is_missed_whenever_workers_are_killed() {
    let mut bench = Bench::start(Weight::Light).await;
    let plan = WorkerPlan {
        tick: Some(EVERY),
        ..WorkerPlan::named("ticks")
    };
    for _ in 0..WORKERS {
        bench.work(&plan);
    }
    // Relative to when the next tick is due, in milliseconds.
    let offsets = [-100, 0, 100];
    let rounds = Intensity::of_this_run().choose(2, 40);
    let mut seen = None;
    for round in 0..rounds * offsets.len() {
        let last = tick_after(bench.pool(), seen).await;
        seen = Some(last);
        sleep_until(bench.pool(), last + EVERY, offsets[round % offsets.len()]).await;
        let worker = &mut bench.workers[round % WORKERS];
        worker.kill();
        worker.start_again();
    }
    for worker in &mut bench.workers {
        worker.kill();
    }
    let record = TickRecord::of(bench.pool()).await;
    let ticks = record.regular.len();
    assert!(ticks >= rounds * offsets.len(), "only {ticks} ticks");
    record.assert_each_period_has_one();
}

/// The last tick, once there is one after that: each round has its own, however slowly workers start.
async fn tick_after(pool: &PgPool, seen: Option<DateTime<Utc>>) -> DateTime<Utc> {
    until("somebody ticks", SOON, async || {
        let last = sqlx::query_scalar!(
            "SELECT NULLIF(last_tick_at, '-infinity') FROM schedules WHERE name = $1",
            TICKING
        );
        let last = last.fetch_optional(pool).await.ok()?.flatten();
        last.filter(|last| seen.is_none_or(|seen| *last > seen))
    })
    .await
}

/// By the database's clock, which ticks go by.
async fn sleep_until(pool: &PgPool, at: DateTime<Utc>, offset_ms: i64) {
    let mut connection = pool.acquire().await.unwrap();
    let now = job_queue::database_now(&mut connection).await.unwrap();
    let wait_ms = (at - now).num_milliseconds() + offset_ms;
    tokio::time::sleep(Duration::from_millis(wait_ms.try_into().unwrap_or(0))).await;
}
