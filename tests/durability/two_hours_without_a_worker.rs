//! For two hours nobody works, then several processes come back at once. What the schedule promises is
//! told by what an operator asked for: nothing, and the gap ends with one tick; a pause, and it lasts;
//! some of what was missed, and these come once each.

use std::time::Duration;

use job_queue::{
    JobAction, TickWindow, backfill_schedule, pause_schedule, preview_backfill, resume_schedule,
};
use sqlx::types::chrono::{DateTime, Utc};
use system_tests::Weight;
use system_tests::ledger::{Note, TICKING, Task};
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::tick_record::{EVERY, TickRecord, periods};
use crate::worker_plan::WorkerPlan;

const WORKERS: usize = 3;
/// Periods; fewer than the 10,000 missed ticks that are kept of a gap.
const AWAY: usize = 7_200;
/// Missed ticks that operators want after all. Four a period are worked.
const WANTED: u32 = 12;

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("what came of the outage".to_owned()),
    }
}

/// Workers have ticked and are gone, for two hours by all that is on record. Gives their last tick.
async fn after_an_outage() -> (Bench, DateTime<Utc>) {
    let mut bench = Bench::start(Weight::Light).await;
    let plan = WorkerPlan {
        tick: Some(EVERY),
        ..WorkerPlan::named("ticks")
    };
    for _ in 0..WORKERS {
        bench.work(&plan);
    }
    await_ticks(&bench, 2).await;
    for worker in &mut bench.workers {
        worker.kill();
    }
    let_two_hours_pass(&bench).await;
    let last = *TickRecord::of(bench.pool()).await.regular.last().unwrap();
    (bench, last)
}

/// Moves everything that is on record; a clock that goes on calls no trigger. Its lock waits for the end
/// of a tick whose worker was killed amid its commit.
async fn let_two_hours_pass(bench: &Bench) {
    let moved = "BEGIN;
        ALTER TABLE schedules DISABLE TRIGGER schedules_note_missed;
        UPDATE schedules SET last_tick_at = last_tick_at - interval '2 hours',
                             missed_known_from = missed_known_from - interval '2 hours';
        ALTER TABLE schedules ENABLE TRIGGER schedules_note_missed;
        UPDATE missed_ticks SET tick_at = tick_at - interval '2 hours';
        UPDATE durability.ticks SET at = at - interval '2 hours';
        COMMIT";
    sqlx::raw_sql(moved).execute(bench.pool()).await.unwrap();
}

async fn await_ticks(bench: &Bench, count: usize) {
    until(&format!("{count} ticks"), SOON, async || {
        let ticks = TickRecord::of(bench.pool()).await.regular.len();
        (ticks >= count).then_some(())
    })
    .await;
}

fn all_come_back(bench: &mut Bench) {
    for worker in &mut bench.workers {
        worker.start_again();
    }
}

async fn all_end(bench: &mut Bench) -> TickRecord {
    for worker in &mut bench.workers {
        worker.kill();
    }
    TickRecord::of(bench.pool()).await
}

/// Panics unless one tick ended the gap, and each period of the gap is written down.
fn assert_gap_ended_once(record: &TickRecord, last: DateTime<Utc>) {
    record.assert_each_period_has_one();
    let after = record.regular.iter().find(|at| **at > last);
    let away = periods(last, *after.expect("somebody ticked"));
    assert!(away >= AWAY, "away for {away} periods");
}

#[tokio::test]
async fn one_tick_ends_the_gap_and_of_those_missed_each_comes_once_that_is_asked_for() {
    let (mut bench, last) = after_an_outage().await;
    let before = TickRecord::of(bench.pool()).await.regular.len();
    all_come_back(&mut bench);
    await_ticks(&bench, before + 2).await;
    let pool = bench.pool().clone();
    let record = TickRecord::of(&pool).await;
    assert_gap_ended_once(&record, last);
    assert!(record.owed.is_empty(), "nobody asked: {:?}", record.owed);

    let window = TickWindow {
        from: last,
        to: last + WANTED * EVERY + EVERY / 2,
    };
    let ask = async || {
        let mut connection = pool.acquire().await.unwrap();
        let asked = backfill_schedule(&mut connection, TICKING, window, &dana()).await;
        asked.unwrap().ticks.len()
    };
    // Two operators at once, neither of whom knows of the other.
    let (one, other) = tokio::join!(ask(), ask());
    assert_eq!(one + other, WANTED as usize);
    until("the first of them", SOON, async || {
        (!TickRecord::of(&pool).await.owed.is_empty()).then_some(())
    })
    .await;
    bench.workers[0].kill();
    bench.workers[0].start_again();
    until("all of them", SOON, async || {
        let mut connection = pool.acquire().await.ok()?;
        let asked = preview_backfill(&mut connection, TICKING, window).await;
        (asked.ok()?.still_waiting == 0).then_some(())
    })
    .await;
    let record = all_end(&mut bench).await;
    let wanted: Vec<_> = (1..=WANTED).map(|tick| last + tick * EVERY).collect();
    assert_eq!(record.owed, wanted, "each once, and no other");
    assert_gap_ended_once(&record, last);
}

#[tokio::test]
async fn a_pause_outlasts_the_outage_and_its_end_brings_one_tick() {
    let (mut bench, last) = after_an_outage().await;
    let mut connection = bench.pool().acquire().await.unwrap();
    let pause = Duration::from_mins(30);
    pause_schedule(&mut connection, TICKING, pause, &dana())
        .await
        .unwrap();
    let before = TickRecord::of(bench.pool()).await.regular;
    all_come_back(&mut bench);
    // They work, so they also ask for ticks.
    let jobs: Vec<_> = (0..WORKERS)
        .map(|it| Note(Task::new(format!("meanwhile {it}"))))
        .collect();
    bench.put(&jobs).await;
    bench.judge(SOON).await;
    assert_eq!(TickRecord::of(bench.pool()).await.regular, before);
    resume_schedule(&mut connection, TICKING, &dana())
        .await
        .unwrap();
    drop(connection);
    await_ticks(&bench, before.len() + 1).await;
    let record = all_end(&mut bench).await;
    assert_gap_ended_once(&record, last);
    assert!(record.owed.is_empty(), "nobody asked: {:?}", record.owed);
}
