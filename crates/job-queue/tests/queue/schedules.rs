//! A tick has one winner, however many ask.

use std::time::Duration;

use job_queue::{
    JobAction, OperateError, disable_schedule, list_schedules, record_tick, run_schedule, tick,
};
use session_identity::WorkerIncarnation;
use sqlx::PgPool;

/// Far longer than any race here takes.
const PERIOD: Duration = Duration::from_hours(1);

async fn winners_of_16(pool: &PgPool) -> usize {
    let askers = (0..16).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            tick(
                &mut connection,
                "sweep",
                PERIOD,
                WorkerIncarnation::generate(),
            )
            .await
            .unwrap()
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
async fn a_disabled_schedule_has_no_ticks_and_keeps_its_last_status(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let worker = WorkerIncarnation::generate();
    assert!(
        tick(&mut connection, "sweep", Duration::from_millis(1), worker)
            .await
            .unwrap()
    );
    record_tick(&mut connection, "sweep", &serde_json::json!({ "found": 3 }))
        .await
        .unwrap();
    let action = JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    };
    disable_schedule(&mut connection, "sweep", &action)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(
        !tick(&mut connection, "sweep", Duration::from_millis(1), worker)
            .await
            .unwrap()
    );
    let schedules = list_schedules(&mut connection).await.unwrap();
    assert_eq!(
        schedules[0].last_status,
        Some(serde_json::json!({ "found": 3 }))
    );
    assert_eq!(schedules[0].disabled_by.as_deref(), Some("staff:dana"));
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
