//! How many workers a queue would take.

use job_queue::{JobAction, QueueLoad, Registry, limit_queue, pause_queue, queue_load};
use sqlx::{PgConnection, PgPool};

use crate::support::{Ping, handler, ping, put, quick, start, wait_for_state};

async fn measure(connection: &mut PgConnection) -> QueueLoad {
    let mut load = queue_load(connection).await.unwrap();
    assert_eq!(load.len(), 1, "{load:?}");
    load.remove(0)
}

async fn insert_due(connection: &mut PgConnection, count: i32) {
    // Of long ago, so that they have not arrived lately.
    sqlx::query!(
        "INSERT INTO jobs (id, queue, kind, payload, created_at, run_at)
         SELECT gen_random_uuid(), 'test', 'ping', '{}', now() - interval '1 day', now()
         FROM generate_series(1, $1)",
        count,
    )
    .execute(connection)
    .await
    .unwrap();
}

/// One run a minute ago that took this long.
async fn insert_run(connection: &mut PgConnection, seconds: f64) {
    sqlx::query!(
        "WITH ran AS (
            INSERT INTO jobs (id, queue, kind, payload, state, created_at, finished_at)
            VALUES (gen_random_uuid(), 'test', 'ping', '{}', 'done',
                    now() - interval '1 day', now() - interval '1 min')
            RETURNING id, finished_at)
         INSERT INTO job_attempts (job_id, run_token, attempt, worker, started_at, finished_at, outcome)
         SELECT id, 1, 1, gen_random_uuid(), finished_at - make_interval(secs => $1), finished_at, 'done'
         FROM ran",
        seconds,
    )
    .execute(connection)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_due_asks_for_workers_unless_it_may_not_run(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    insert_due(connection, 90).await;
    insert_run(connection, 6.0).await;
    let load = measure(connection).await;
    // 90 runs of 6 s within a minute keep 9 slots busy, and 12 at three quarters: one worker.
    assert_eq!((load.ready, load.workers, load.desired_workers), (90, 0, 1));
    assert!((load.mean_run_seconds - 6.0).abs() < 0.1, "{load:?}");
    insert_due(connection, 10).await;
    assert_eq!(measure(connection).await.desired_workers, 2);
    let dana = JobAction {
        actor: "staff:dana".to_owned(),
        reason: None,
    };
    limit_queue(connection, "test", Some(5), &dana)
        .await
        .unwrap();
    assert_eq!(measure(connection).await.desired_workers, 1);
    pause_queue(connection, "test", None, &dana).await.unwrap();
    assert_eq!(measure(connection).await.desired_workers, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_arrives_counts_and_what_runs_keeps_its_worker(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let registry = Registry::new().register::<Ping, _>(handler(|_: Ping, context| async move {
        context.cancellation.cancelled().await;
        job_queue::Outcome::Cancelled
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let load = measure(connection).await;
    assert_eq!((load.running, load.workers, load.slots), (1, 1, 4));
    assert!(load.arrivals_per_second > 0.0, "{load:?}");
    assert_eq!(load.desired_workers, 1);
    worker.drain().await;
    // It is ready again: given back, not run. Nobody serves the queue, and work is due.
    let load = measure(connection).await;
    assert_eq!((load.running, load.workers, load.ready), (0, 0, 1));
    assert_eq!(load.desired_workers, 1);
}
