//! What leaves the tables, and when.

use std::time::Duration;

use job_queue::{
    EndedJobs, Outcome, Registry, Retention, add_history_days, apply_retention, delete_finished,
    drop_history_days, job_attempts,
};
use session_identity::JobId;
use sqlx::{PgConnection, PgPool};

use crate::support::{Ping, handler, outcomes, ping, put, quick, start, wait_for_state};

const DAY: Duration = Duration::from_hours(24);

async fn delete(connection: &mut PgConnection, which: EndedJobs, older_than: Duration) -> u64 {
    delete_finished(connection, which, older_than, 100)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn finished_jobs_leave_in_batches_and_dead_ones_on_terms_of_their_own(pool: PgPool) {
    let registry = Registry::new().register::<Ping, _>(handler(|job: Ping, _| async move {
        if job.number > 0 {
            return Outcome::Done;
        }
        Outcome::Dead {
            class: "hopeless".to_owned(),
            reason: "said so".to_owned(),
        }
    }));
    let worker = start(&pool, registry, quick("w"));
    let dead = put(&pool, &ping(0)).await;
    wait_for_state(&pool, dead, "dead").await;
    for number in 1..=5 {
        let id = put(&pool, &ping(number)).await;
        wait_for_state(&pool, id, "done").await;
    }
    worker.drain().await;
    let waiting = put(&pool, &ping(9)).await;
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    assert_eq!(delete(connection, EndedJobs::DoneOrCancelled, DAY).await, 0);
    let some = delete_finished(connection, EndedJobs::DoneOrCancelled, Duration::ZERO, 3).await;
    assert_eq!(some.unwrap(), 3);
    let rest = delete(connection, EndedJobs::DoneOrCancelled, Duration::ZERO).await;
    assert_eq!(rest, 2);
    let still = sqlx::query_scalar!("SELECT id FROM jobs ORDER BY id")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(still, [dead.as_uuid(), waiting.as_uuid()]);
    assert_eq!(delete(connection, EndedJobs::Dead, Duration::ZERO).await, 1);
    // What happened to a job outlives its row.
    assert_eq!(outcomes(&pool, dead).await, ["dead"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn history_is_kept_by_the_day_and_dropped_by_the_day(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    // The schema made the first days; a second look has nothing to make.
    assert_eq!(add_history_days(connection).await.unwrap(), 0);
    sqlx::raw_sql(
        "DROP TABLE job_attempts_before;
         CREATE TABLE job_attempts_20200101 PARTITION OF job_attempts
            FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let job = put(&pool, &ping(1)).await;
    // The second day has no partition, as when no worker lived to make it.
    for (token, ended) in [(1, "2020-01-01 12:00+00"), (2, "2020-02-01 12:00+00")] {
        insert_attempt(connection, job, token, ended).await;
    }
    insert_attempt(connection, job, 3, "now").await;
    let month = DAY * 30;
    assert_eq!(drop_history_days(connection, month).await.unwrap(), 1);
    let left = job_attempts(connection, job).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|attempt| attempt.run_token).collect();
    assert_eq!(left, [3]);
    assert_eq!(drop_history_days(connection, month).await.unwrap(), 0);
}

async fn insert_attempt(connection: &mut PgConnection, job: JobId, token: i64, ended: &str) {
    sqlx::query!(
        "INSERT INTO job_attempts (job_id, run_token, attempt, worker, started_at, finished_at, outcome)
         VALUES ($1, $2, 1, gen_random_uuid(), now(), $3::text::timestamptz, 'retry')",
        job.as_uuid(),
        token,
        ended,
    )
    .execute(connection)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_pass_removes_no_more_than_its_batches_and_the_next_goes_on(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    sqlx::query!(
        "INSERT INTO jobs (id, queue, kind, payload, state, finished_at)
         SELECT gen_random_uuid(), 'test', 'ping', '{}', 'done', now() - interval '8 days'
         FROM generate_series(1, 25)"
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at)
         VALUES (gen_random_uuid(), 'gone', 'h', 'b', '{}', '{}', 1, now() - interval '40 days'),
                (gen_random_uuid(), 'here', 'h', 'b', '{}', '{}', 1, now())"
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let retention = Retention {
        batch: 5,
        batches: 3,
        ..Retention::default()
    };
    let mut removed = Vec::new();
    for _ in 0..3 {
        let pass = apply_retention(connection, &retention).await.unwrap();
        removed.push((pass.jobs, pass.workers));
    }
    assert_eq!(removed, [(15, 1), (10, 0), (0, 0)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_day_that_began_without_its_partition_is_left_as_it_is(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let connection = &mut *connection;
    let today = sqlx::query_scalar!(
        r#"SELECT 'job_attempts_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AS "name!""#
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TABLE {today}")))
        .execute(&mut *connection)
        .await
        .unwrap();
    let job = put(&pool, &ping(1)).await;
    insert_attempt(connection, job, 1, "now").await;
    assert_eq!(add_history_days(connection).await.unwrap(), 0);
    assert_eq!(outcomes(&pool, job).await, ["retry"]);
}
