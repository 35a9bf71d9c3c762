//! What was missed is on record, and is worked once where an operator asks for it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use job_queue::{
    JobAction, LARGEST_BACKFILL, OperateError, Retention, Schedule, Tick, TickWindow,
    apply_retention, backfill_schedule, database_now, finish_owed_tick, list_schedules,
    pause_schedule, preview_backfill, run_schedule, tick,
};
use session_identity::WorkerIncarnation;
use sqlx::{PgConnection, PgPool};

/// Far longer than any test here takes.
const HOURLY: Schedule = Schedule {
    name: "sweep",
    every: Duration::from_hours(1),
    is_pausable: true,
};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("INC-7".to_owned()),
    }
}

async fn claim(connection: &mut PgConnection) -> Option<Tick> {
    tick(connection, HOURLY, WorkerIncarnation::generate())
        .await
        .unwrap()
}

async fn ticks(connection: &mut PgConnection) -> bool {
    claim(connection).await.is_some()
}

/// What a quarter of the period does to the pace of what is owed.
async fn let_a_quarter_pass(connection: &mut PgConnection) {
    let moved = "UPDATE schedules SET owed_claimed_at = owed_claimed_at - every / 4";
    sqlx::raw_sql(moved).execute(connection).await.unwrap();
}

/// Claims what is owed and ends each, as a worker whose sweeps succeed.
async fn work_off(connection: &mut PgConnection) -> usize {
    let mut worked = 0;
    while let Some(claimed) = claim(connection).await {
        let Tick::Owed { due_at } = claimed else {
            panic!("a regular one is due");
        };
        finish_owed_tick(connection, "sweep", due_at).await.unwrap();
        let_a_quarter_pass(connection).await;
        worked += 1;
    }
    worked
}

/// What so many hours without a worker leave behind.
async fn let_hours_pass(connection: &mut PgConnection, hours: i32) {
    let moved = sqlx::query!(
        "UPDATE schedules SET last_tick_at = last_tick_at - $1 * interval '1 hour',
                              missed_known_from = missed_known_from - $1 * interval '1 hour'",
        f64::from(hours)
    );
    moved.execute(connection).await.unwrap();
}

async fn last_day(connection: &mut PgConnection) -> TickWindow {
    let now = database_now(connection).await.unwrap();
    TickWindow {
        from: now - Duration::from_hours(24),
        to: now,
    }
}

async fn missed(connection: &mut PgConnection) -> Vec<DateTime<Utc>> {
    let window = last_day(connection).await;
    let found = preview_backfill(connection, "sweep", window).await;
    found.unwrap().ticks
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_ticks_of_a_gap_are_the_same_while_it_is_open_and_when_it_is_over(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    assert!(ticks(connection).await);
    assert!(missed(connection).await.is_empty());
    let_hours_pass(connection, 4).await;
    let open = missed(connection).await;
    assert_eq!(open.len(), 3, "the fourth is due and not missed");
    assert_eq!(open[1] - open[0], chrono::TimeDelta::hours(1));
    assert!(ticks(connection).await);
    assert_eq!(missed(connection).await, open);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_tick_that_is_made_due_forgets_none_that_were_missed(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 3).await;
    run_schedule(connection, "sweep", &dana()).await.unwrap();
    assert_eq!(missed(connection).await.len(), 2);
    assert!(ticks(connection).await);
    assert_eq!(missed(connection).await.len(), 2);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_goes_by_after_a_tick_was_made_due_is_written_down_too(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    run_schedule(connection, "sweep", &dana()).await.unwrap();
    // Nobody works for five hours, and somebody asks again meanwhile.
    let silent = "UPDATE schedules SET due_since = due_since - interval '5 hours'";
    sqlx::raw_sql(silent)
        .execute(&mut *connection)
        .await
        .unwrap();
    let open = missed(connection).await;
    assert_eq!(open.len(), 5, "the one made due and four after it");
    run_schedule(connection, "sweep", &dana()).await.unwrap();
    assert_eq!(missed(connection).await, open);
    assert_eq!(claim(connection).await, Some(Tick::Regular));
    assert_eq!(missed(connection).await, open);
    assert_eq!(list_schedules(connection).await.unwrap()[0].due_since, None);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn owed_ticks_keep_their_pace_however_many_workers_ask(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 20).await;
    ticks(connection).await;
    let window = last_day(connection).await;
    let asked = backfill_schedule(connection, "sweep", window, &dana()).await;
    assert_eq!(asked.unwrap().ticks.len(), 19);
    for _ in 0..2 {
        let askers = (0..16).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { ticks(&mut pool.acquire().await.unwrap()).await })
        });
        let mut claimed = 0;
        for asker in askers.collect::<Vec<_>>() {
            claimed += usize::from(asker.await.unwrap());
        }
        assert_eq!(claimed, 1);
        let_a_quarter_pass(connection).await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_owed_tick_whose_work_does_not_end_well_stays_owed(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 2).await;
    ticks(connection).await;
    let window = last_day(connection).await;
    let asked = backfill_schedule(connection, "sweep", window, &dana()).await;
    assert_eq!(asked.unwrap().ticks.len(), 1);
    let claimed = claim(connection).await;
    let Some(Tick::Owed { due_at }) = claimed else {
        panic!("{claimed:?}");
    };
    let_a_quarter_pass(connection).await;
    assert_eq!(claim(connection).await, None, "somebody is at it");
    let again = preview_backfill(connection, "sweep", window).await.unwrap();
    assert_eq!((again.already_asked, again.still_waiting), (1, 1));
    let died = "UPDATE missed_ticks SET claimed_at = claimed_at - interval '5 minutes'";
    sqlx::raw_sql(died).execute(&mut *connection).await.unwrap();
    assert_eq!(claim(connection).await, claimed);
    finish_owed_tick(connection, "sweep", due_at).await.unwrap();
    sqlx::raw_sql(died).execute(&mut *connection).await.unwrap();
    let_a_quarter_pass(connection).await;
    assert_eq!(claim(connection).await, None, "it has ended");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_a_long_gap_the_answer_says_from_when_on_it_knows(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 12_000).await;
    let now = database_now(connection).await.unwrap();
    let hour = Duration::from_hours(1);
    let old = TickWindow {
        from: now - 11_900 * hour,
        to: now - 11_800 * hour,
    };
    let open = preview_backfill(connection, "sweep", old).await.unwrap();
    assert!(
        open.ticks.is_empty() && open.known_from > old.to,
        "{open:?}"
    );
    assert!(ticks(connection).await);
    let over = preview_backfill(connection, "sweep", old).await.unwrap();
    assert_eq!(over.known_from, open.known_from);
    let recent = TickWindow {
        from: over.known_from,
        to: over.known_from + 10 * hour,
    };
    let known = preview_backfill(connection, "sweep", recent).await.unwrap();
    assert_eq!(known.ticks.len(), 10);
    apply_retention(connection, &Retention::default())
        .await
        .unwrap();
    let later = preview_backfill(connection, "sweep", recent).await.unwrap();
    assert!(
        later.ticks.is_empty() && later.known_from > recent.to,
        "{later:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_missed_tick_is_worked_once_however_often_and_from_wherever_it_is_asked_for(
    pool: PgPool,
) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 4).await;
    let window = last_day(connection).await;
    // Once while the gap is open, and again by eight at once when it is over.
    let first = TickWindow {
        from: window.to - Duration::from_mins(150),
        ..window
    };
    let asked = backfill_schedule(connection, "sweep", first, &dana()).await;
    assert_eq!(asked.unwrap().ticks.len(), 2);
    assert!(ticks(connection).await, "the regular one");
    let asks = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            let asked = backfill_schedule(&mut connection, "sweep", window, &dana()).await;
            asked.unwrap().ticks.len()
        })
    });
    let mut asked = 2;
    for ask in asks.collect::<Vec<_>>() {
        asked += ask.await.unwrap();
    }
    assert_eq!(asked, 3);
    assert_eq!(list_schedules(connection).await.unwrap()[0].owed_ticks, 3);

    pause_schedule(connection, "sweep", Duration::from_mins(5), &dana())
        .await
        .unwrap();
    assert!(!ticks(connection).await, "not while it is paused");
    sqlx::raw_sql("UPDATE schedules SET disabled_until = now()")
        .execute(&mut *connection)
        .await
        .unwrap();
    assert_eq!(work_off(connection).await, 3);
    assert_eq!(list_schedules(connection).await.unwrap()[0].owed_ticks, 0);
    let again = backfill_schedule(connection, "sweep", window, &dana()).await;
    let again = again.unwrap();
    let counts = (again.ticks.len(), again.already_asked, again.still_waiting);
    assert_eq!(counts, (0, 3, 0));
    assert!(!ticks(connection).await);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_not_over_or_too_much_is_refused_and_leaves_no_trace(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let window = last_day(connection).await;
    let missing = backfill_schedule(connection, "sweep", window, &dana()).await;
    assert!(matches!(
        missing,
        Err(OperateError::ScheduleNotFound { .. })
    ));
    ticks(connection).await;
    let hour = Duration::from_hours(1);
    let future = TickWindow {
        to: window.to + hour,
        ..window
    };
    let refused = backfill_schedule(connection, "sweep", future, &dana()).await;
    assert!(matches!(refused, Err(OperateError::WindowNotPast { .. })));
    let empty = TickWindow {
        from: window.to,
        ..window
    };
    let refused = backfill_schedule(connection, "sweep", empty, &dana()).await;
    assert!(matches!(refused, Err(OperateError::WindowEmpty)));
    let_hours_pass(connection, i32::try_from(LARGEST_BACKFILL).unwrap() + 3).await;
    let long = TickWindow {
        from: window.to - 5_000 * hour,
        ..window
    };
    let refused = backfill_schedule(connection, "sweep", long, &dana()).await;
    assert!(matches!(refused, Err(OperateError::BackfillTooLarge)));
    let traces = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM job_actions) + (SELECT count(*) FROM missed_ticks) AS "traces!""#
    );
    assert_eq!(traces.fetch_one(&pool).await.unwrap(), 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missed_ticks_go_with_the_history(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    ticks(connection).await;
    let_hours_pass(connection, 24 * 40).await;
    ticks(connection).await;
    let removed = apply_retention(connection, &Retention::default()).await;
    assert_eq!(removed.unwrap().missed_ticks, 24 * 9);
    let left = sqlx::query_scalar!(r#"SELECT count(*) AS "left!" FROM missed_ticks"#);
    assert_eq!(left.fetch_one(&pool).await.unwrap(), 24 * 31 - 1);
}
