//! SIGKILL just before, at and just after the tick of a schedule that three processes ask for: each
//! period has one tick, or is written down as missed.

use std::time::Duration;

use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{PgPool, Row as _};
use system_tests::ledger::TICKING;
use system_tests::wait::{SOON, until};
use system_tests::{Intensity, Weight};

use crate::bench::Bench;
use crate::worker_plan::WorkerPlan;

const EVERY: Duration = Duration::from_secs(1);
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
    let ticks = ticks(bench.pool()).await;
    assert!(
        ticks.len() >= rounds * offsets.len(),
        "only {} ticks",
        ticks.len()
    );
    let missed = missed(bench.pool()).await;
    for pair in ticks.windows(2) {
        let periods = (pair[1] - pair[0]).num_microseconds().unwrap() / 1_000_000;
        assert!(periods >= 1, "two ticks in one period: {pair:?}");
        let between = missed.iter().filter(|at| pair[0] < **at && **at < pair[1]);
        assert_eq!(
            between.count(),
            usize::try_from(periods - 1).unwrap(),
            "{pair:?}"
        );
    }
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

async fn ticks(pool: &PgPool) -> Vec<DateTime<Utc>> {
    // The table is the suite's own, so no checked query can know it.
    let rows = sqlx::raw_sql("SELECT at FROM durability.ticks ORDER BY at");
    let rows = rows.fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get("at")).collect()
}

async fn missed(pool: &PgPool) -> Vec<DateTime<Utc>> {
    let missed = sqlx::query_scalar!(
        "SELECT tick_at FROM missed_ticks WHERE schedule = $1 ORDER BY tick_at",
        TICKING
    );
    missed.fetch_all(pool).await.unwrap()
}
