//! What was missed is on record, and is worked once where an operator asks for it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use job_queue::{
    JobAction, LARGEST_BACKFILL, OperateError, Retention, Schedule, TickWindow, apply_retention,
    backfill_schedule, database_now, list_schedules, pause_schedule, preview_backfill,
    run_schedule, tick,
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

async fn ticks(connection: &mut PgConnection) -> bool {
    tick(connection, HOURLY, WorkerIncarnation::generate())
        .await
        .unwrap()
}

/// What so many hours without a worker leave behind.
async fn let_hours_pass(connection: &mut PgConnection, hours: i32) {
    let moved = sqlx::query!(
        "UPDATE schedules SET last_tick_at = last_tick_at - $1 * interval '1 hour'",
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
    let mut worked = 0;
    while ticks(connection).await {
        worked += 1;
    }
    assert_eq!(worked, 3);
    assert_eq!(list_schedules(connection).await.unwrap()[0].owed_ticks, 0);
    let again = backfill_schedule(connection, "sweep", window, &dana()).await;
    let again = again.unwrap();
    assert_eq!((again.ticks.len(), again.already_asked), (0, 3));
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
