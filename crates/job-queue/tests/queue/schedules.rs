//! A tick has one winner, however many ask.

use std::time::Duration;

use chrono::{DateTime, Utc};
use job_queue::{
    JobAction, LONGEST_PAUSE, OperateError, Schedule, list_schedules, pause_schedule, record_tick,
    resume_schedule, run_schedule, tick,
};
use session_identity::WorkerIncarnation;
use sqlx::PgPool;

/// Far longer than any race here takes.
const PERIOD: Duration = Duration::from_hours(1);

const HOURLY: Schedule = Schedule {
    name: "sweep",
    every: PERIOD,
    is_pausable: true,
};

/// Due again before anybody can ask.
const ALWAYS: Schedule = Schedule {
    every: Duration::from_millis(1),
    ..HOURLY
};

fn dana(reason: &str) -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some(reason.to_owned()),
    }
}

async fn ticks(pool: &PgPool, schedule: Schedule) -> bool {
    let mut connection = pool.acquire().await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let claimed = tick(&mut connection, schedule, WorkerIncarnation::generate()).await;
    claimed.unwrap().is_some()
}

async fn winners_of_16(pool: &PgPool) -> usize {
    let askers = (0..16).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            let claimed = tick(&mut connection, HOURLY, WorkerIncarnation::generate()).await;
            claimed.unwrap().is_some()
        })
    });
    let mut winners = 0;
    for asker in askers.collect::<Vec<_>>() {
        winners += usize::from(asker.await.unwrap());
    }
    winners
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn exactly_one_of_16_askers_gets_each_tick(pool: PgPool) {
    for _ in 0..3 {
        assert_eq!(winners_of_16(&pool).await, 1);
        assert_eq!(winners_of_16(&pool).await, 0, "the period has only begun");
        // What an hour does.
        sqlx::raw_sql("UPDATE schedules SET last_tick_at = last_tick_at - every")
            .execute(&pool)
            .await
            .unwrap();
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_paused_schedule_has_no_ticks_and_keeps_its_last_status_until_it_goes_on(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    assert!(ticks(&pool, ALWAYS).await);
    record_tick(&mut connection, "sweep", &serde_json::json!({ "found": 3 }))
        .await
        .unwrap();
    let minutes = Duration::from_mins(30);
    pause_schedule(&mut connection, "sweep", minutes, &dana("restore"))
        .await
        .unwrap();
    assert!(!ticks(&pool, ALWAYS).await);
    let paused = list_schedules(&mut connection).await.unwrap().remove(0);
    assert_eq!(paused.last_status, Some(serde_json::json!({ "found": 3 })));
    assert_eq!(paused.disabled_by.as_deref(), Some("staff:dana"));
    assert_eq!(paused.disabled_reason.as_deref(), Some("restore"));
    assert_eq!(paused.next_tick_at, paused.disabled_until);

    // What half an hour does.
    sqlx::raw_sql("UPDATE schedules SET disabled_until = now()")
        .execute(&pool)
        .await
        .unwrap();
    let over = list_schedules(&mut connection).await.unwrap().remove(0);
    assert_eq!((over.disabled_at, over.disabled_by), (None, None));
    assert!(ticks(&pool, ALWAYS).await, "nobody had to remember it");

    pause_schedule(&mut connection, "sweep", minutes, &dana("again"))
        .await
        .unwrap();
    resume_schedule(&mut connection, "sweep", &dana("mended"))
        .await
        .unwrap();
    assert!(ticks(&pool, ALWAYS).await);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_is_paused_for_long_and_what_must_go_on_not_at_all(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let vital = Schedule {
        is_pausable: false,
        ..ALWAYS
    };
    assert!(ticks(&pool, vital).await);
    let hour = Duration::from_hours(1);
    let refused = pause_schedule(&mut connection, "sweep", hour, &dana("r")).await;
    assert!(matches!(
        refused,
        Err(OperateError::ScheduleNeverPauses { .. })
    ));
    let long = LONGEST_PAUSE + Duration::from_secs(1);
    let refused = pause_schedule(&mut connection, "sweep", long, &dana("r")).await;
    assert!(matches!(refused, Err(OperateError::PauseTooLong)));
    let acts = sqlx::query_scalar!(r#"SELECT count(*) AS "acts!" FROM job_actions"#);
    assert_eq!(acts.fetch_one(&pool).await.unwrap(), 0);
    // As an older Carrel switched it off, for ever.
    sqlx::raw_sql("UPDATE schedules SET disabled_at = now(), disabled_by = 'staff:dana'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(ticks(&pool, vital).await);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schedule_that_an_operator_runs_is_due_at_once_for_one_asker(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let action = JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    };
    let missing = run_schedule(&mut connection, "sweep", &action).await;
    assert!(matches!(
        missing,
        Err(OperateError::ScheduleNotFound { .. })
    ));
    assert_eq!(winners_of_16(&pool).await, 1);
    assert_eq!(winners_of_16(&pool).await, 0, "the period has only begun");
    run_schedule(&mut connection, "sweep", &action)
        .await
        .unwrap();
    assert_eq!(winners_of_16(&pool).await, 1);
}

/// The ticks that a gap misses, as a session with clocks of this place writes them down.
async fn missed_in(
    pool: &PgPool,
    zone: &str,
    every: &str,
    from: &str,
    to: &str,
) -> Vec<DateTime<Utc>> {
    let mut connection = pool.acquire().await.unwrap();
    let placed = sqlx::query_scalar!("SELECT set_config('TimeZone', $1, false)", zone);
    placed.fetch_one(&mut *connection).await.unwrap();
    let missed = sqlx::query_scalar!(
        r#"SELECT missed AS "missed!"
           FROM ticks_missed($1::text::timestamptz, $2::text::interval, $3::text::timestamptz) AS missed"#,
        from,
        every,
        to,
    );
    let missed = missed.fetch_all(&mut *connection).await.unwrap();
    // The place must not go back to the pool.
    connection.close().await.unwrap();
    missed
}

/// Of a night in which clocks are put forward, and of one in which they are put back.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn clocks_that_are_changed_neither_double_a_tick_nor_leave_one_out(pool: PgPool) {
    for (from, to) in [
        ("2026-03-28 12:00+00", "2026-03-30 12:00+00"),
        ("2026-10-24 12:00+00", "2026-10-26 12:00+00"),
    ] {
        // As `tick` stores a period: in seconds, also that of a day.
        for (every, count) in [("3600 s", 47), ("86400 s", 1)] {
            let here = missed_in(&pool, "Europe/Berlin", every, from, to).await;
            assert_eq!(here.len(), count);
            assert_eq!(here, missed_in(&pool, "UTC", every, from, to).await);
        }
        // A period in days would follow the clocks of whoever claims.
        let days = missed_in(&pool, "Europe/Berlin", "1 day", from, to).await;
        assert_ne!(days, missed_in(&pool, "UTC", "1 day", from, to).await);
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_period_of_a_day_is_stored_in_seconds(pool: PgPool) {
    let daily = Schedule {
        every: Duration::from_hours(24),
        ..HOURLY
    };
    let mut connection = pool.acquire().await.unwrap();
    tick(&mut connection, daily, WorkerIncarnation::generate())
        .await
        .unwrap();
    let days =
        sqlx::query_scalar!(r#"SELECT extract(day FROM every)::integer AS "days!" FROM schedules"#);
    assert_eq!(days.fetch_one(&pool).await.unwrap(), 0);
}
