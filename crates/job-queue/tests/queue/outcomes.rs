//! What becomes of a run, whatever its handler does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use job_queue::{JobRecord, Outcome, RecordError, Registry, pause_queue, resume_queue};
use sqlx::PgPool;

use crate::support::{
    Hasty, Ping, dana, handler, outcomes, ping, put, quick, retry, start, wait_for, wait_for_state,
};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_done_job_has_one_attempt_and_no_lease(pool: PgPool) {
    let registry =
        Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    let job = wait_for_state(&pool, id, "done").await;
    assert_eq!((job.attempt, job.run_token, job.lease_owner), (1, 1, None));
    assert_eq!(outcomes(&pool, id).await, ["done"]);
    let report = worker.drain().await;
    assert_eq!(
        (report.recorded, report.stale, report.unanswered),
        (1, 0, 0)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_panic_is_a_retry_of_that_job_and_ends_nothing_else(pool: PgPool) {
    let registry = Registry::new().register::<Ping, _>(handler(|job: Ping, _| async move {
        assert!(job.number != 13, "unlucky");
        tokio::time::sleep(Duration::from_millis(200)).await;
        Outcome::Done
    }));
    let unlucky = put(&pool, &ping(13)).await;
    let beside = put(&pool, &ping(1)).await;
    let worker = start(&pool, registry, quick("w"));
    let job = wait_for(&pool, unlucky, |job| job.outcome_class.is_some()).await;
    assert_eq!(job.outcome_class.as_deref(), Some("panic"));
    assert_eq!(job.outcome_reason.as_deref(), Some("unlucky"));
    wait_for_state(&pool, beside, "done").await;
    assert_eq!(outcomes(&pool, beside).await, ["done"]);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_failed_job_waits_in_its_row_and_dies_after_its_last_attempt(pool: PgPool) {
    // Each run pauses its queue: what it left is seen, however late somebody looks.
    let inside = pool.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        let pool = inside.clone();
        async move {
            let mut connection = pool.acquire().await.unwrap();
            let paused = pause_queue(&mut connection, "test", None, &dana()).await;
            paused.unwrap();
            retry("broken")
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    let mut connection = pool.acquire().await.unwrap();
    for attempt in 1..3 {
        let failed = |job: &JobRecord| job.attempt == attempt && job.state == "ready";
        let job = wait_for(&pool, id, failed).await;
        let waits = job.run_at - job.started_at.unwrap();
        assert!(
            waits.num_milliseconds() >= 100,
            "the backoff is in the row: {waits}"
        );
        let resumed = resume_queue(&mut connection, "test", &dana()).await;
        resumed.unwrap();
    }
    let job = wait_for_state(&pool, id, "dead").await;
    assert_eq!(
        (job.attempt, job.outcome_class.as_deref()),
        (3, Some("broken"))
    );
    assert_eq!(outcomes(&pool, id).await, ["retry", "retry", "dead"]);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_snooze_spends_no_attempt_and_of_several_the_first_is_history(pool: PgPool) {
    let looks = Arc::new(AtomicI32::new(0));
    let seen = looks.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, _| {
        let looks = seen.clone();
        async move {
            if looks.fetch_add(1, Ordering::SeqCst) < 5 {
                return Outcome::Snooze {
                    after: Duration::from_millis(10),
                };
            }
            Outcome::Done
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    let job = wait_for_state(&pool, id, "done").await;
    assert_eq!((job.attempt, job.run_token), (1, 6));
    assert_eq!(outcomes(&pool, id).await, ["snooze", "done"]);
    assert_eq!(job.snoozes, 0, "it has run since");
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_run_past_its_deadline_is_cancelled_and_then_dropped(pool: PgPool) {
    let cancelled = Arc::new(Mutex::new(None));
    let seen = cancelled.clone();
    let registry = Registry::new().register::<Hasty, _>(handler(move |_: Hasty, context| {
        let seen = seen.clone();
        async move {
            context.cancellation.cancelled().await;
            *seen.lock().unwrap() = context.cancel_reason();
            std::future::pending().await
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &Hasty).await;
    let job = wait_for_state(&pool, id, "dead").await;
    assert_eq!(job.outcome_class.as_deref(), Some("deadline_exceeded"));
    assert_eq!(
        *cancelled.lock().unwrap(),
        Some(job_queue::CancelReason::Deadline)
    );
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_outcome_recorded_by_the_handler_commits_with_its_own_writes(pool: PgPool) {
    let (inside, commit) = (pool.clone(), Arc::new(AtomicI32::new(0)));
    let runs = commit.clone();
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, context| {
        let (pool, runs) = (inside.clone(), runs.clone());
        async move {
            let mut transaction = pool.begin().await.unwrap();
            sqlx::query!("INSERT INTO queues (name) VALUES ('effect')")
                .execute(&mut *transaction)
                .await
                .unwrap();
            context
                .record(&mut transaction, &Outcome::Done)
                .await
                .unwrap();
            // The first run loses its commit, and with it both the effect and the outcome.
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                transaction.rollback().await.unwrap();
            } else {
                transaction.commit().await.unwrap();
            }
            Outcome::AlreadyRecorded
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "done").await;
    assert_eq!(outcomes(&pool, id).await, ["retry", "done"]);
    let effects = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM queues"#);
    assert_eq!(effects.fetch_one(&pool).await.unwrap(), 1);
    let report = worker.drain().await;
    assert_eq!((report.recorded, report.stale), (2, 0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stale_run_can_write_nothing_once_the_job_was_claimed_again(pool: PgPool) {
    let stolen = Arc::new(Mutex::new(None));
    let (inside, seen) = (pool.clone(), stolen.clone());
    let registry = Registry::new().register::<Ping, _>(handler(move |_: Ping, context| {
        let (pool, seen) = (inside.clone(), seen.clone());
        async move {
            // What another worker's claim does to the row.
            sqlx::query!(
                "UPDATE jobs SET run_token = run_token + 1 WHERE id = $1",
                context.job_id.as_uuid(),
            )
            .execute(&pool)
            .await
            .unwrap();
            let mut connection = pool.acquire().await.unwrap();
            *seen.lock().unwrap() = Some(context.record(&mut connection, &Outcome::Done).await);
            Outcome::Done
        }
    }));
    let id = put(&pool, &ping(1)).await;
    let worker = start(&pool, registry, quick("w"));
    wait_for(&pool, id, |job| job.run_token >= 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = worker.drain().await;
    let recorded = stolen.lock().unwrap().take();
    assert!(
        matches!(recorded, Some(Err(RecordError::StaleRun { .. }))),
        "{recorded:?}"
    );
    assert!(report.stale >= 1 && report.recorded == 0, "{report:?}");
}
