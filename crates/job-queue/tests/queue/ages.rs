//! Waiting raises jobs, set and lifted while workers claim.

use std::time::Duration;

use job_queue::{EnqueueOptions, Outcome, Registry, age_queue, enqueue_many, list_queues};
use sqlx::PgPool;
use tokio::time::Instant;

use crate::support::{PATIENCE, Ping, dana, handler, ping, quick, start};

async fn set_age(pool: &PgPool, age: Option<Duration>) {
    let mut connection = pool.acquire().await.unwrap();
    age_queue(&mut connection, "test", age, &dana())
        .await
        .unwrap();
}

/// Twenty of each of ten priorities.
async fn put_two_hundred(pool: &PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    for priority in 0..10 {
        let jobs: Vec<_> = (0..20).map(ping).collect();
        let options = EnqueueOptions {
            priority,
            ..EnqueueOptions::default()
        };
        enqueue_many(&mut connection, &jobs, &options)
            .await
            .unwrap();
    }
}

/// How many are done, each by its only run.
async fn done_once(pool: &PgPool) -> i64 {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "done!" FROM jobs WHERE state = 'done' AND run_token = 1"#
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn setting_and_lifting_an_age_amid_claims_loses_no_job_and_runs_none_twice(pool: PgPool) {
    put_two_hundred(&pool).await;
    let done =
        || Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }));
    set_age(&pool, Some(Duration::from_secs(1))).await;
    let workers: Vec<_> = (0..3)
        .map(|number| start(&pool, done(), quick(&format!("w{number}"))))
        .collect();
    let give_up = Instant::now() + PATIENCE;
    let ages = [None, Some(Duration::from_mins(10))];
    for age in ages.into_iter().cycle() {
        let done = done_once(&pool).await;
        if done == 200 {
            break;
        }
        assert!(Instant::now() < give_up, "{done} of 200");
        set_age(&pool, age).await;
    }
    for worker in workers {
        worker.drain().await;
    }
    let mut connection = pool.acquire().await.unwrap();
    set_age(&pool, Some(Duration::from_millis(1_500))).await;
    let queues = list_queues(&mut connection).await.unwrap();
    assert_eq!(queues[0].priority_age_seconds, Some(1.5));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_age_below_a_second_is_refused_by_the_table_itself(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let tiny = Some(Duration::from_millis(999));
    let refused = age_queue(&mut connection, "test", tiny, &dana()).await;
    let error = refused.unwrap_err();
    let constraint = error.as_database_error().and_then(|it| it.constraint());
    assert_eq!(constraint, Some("queues_priority_age_bounded"));
}
