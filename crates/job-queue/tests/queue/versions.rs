//! Old and new builds side by side: each claims what it can read.

use std::time::Duration;

use job_queue::{
    DecodeError, Job, JobKind, NewJob, Outcome, Registry, RunAt, Unhandled, WhyNotRunning,
    enqueue_raw, job_actions, park_unhandled, retry_job, why_not_running,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_identity::JobId;
use sqlx::PgPool;

use crate::support::{Ping, dana, handler, load, ping, put, quick, start, wait_for_state};

/// What the next build makes of a ping: the number has become a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NextPing {
    text: String,
}

impl Job for NextPing {
    const KIND: &'static str = Ping::KIND;
    const VERSION: i32 = 2;
    const OLDEST_VERSION: i32 = 1;
    const QUEUE: &'static str = Ping::QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn decode(version: i32, payload: Value) -> Result<Self, DecodeError> {
        let payload = if version == 1 {
            serde_json::json!({ "text": payload["number"].to_string() })
        } else {
            payload
        };
        serde_json::from_value(payload).map_err(DecodeError::Payload)
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_of_a_later_version_waits_for_a_worker_that_reads_it(pool: PgPool) {
    let registry =
        Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }));
    let old = start(&pool, registry, quick("old"));
    let text = "two".to_owned();
    let next = put(&pool, &NextPing { text }).await;
    let own = put(&pool, &ping(1)).await;
    wait_for_state(&pool, own, "done").await;
    let job = load(&pool, next).await;
    assert_eq!((job.state.as_str(), job.run_token), ("ready", 0));
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, next).await.unwrap();
    assert!(
        matches!(&reasons[..], [WhyNotRunning::NoWorker { version: 2, .. }]),
        "{reasons:?}"
    );
    let registry =
        Registry::new().register::<NextPing, _>(handler(|job: NextPing, _| async move {
            assert_eq!(job.text, "two");
            Outcome::Done
        }));
    let new = start(&pool, registry, quick("new"));
    let job = wait_for_state(&pool, next, "done").await;
    assert_eq!((job.attempt, job.run_token), (1, 1));
    old.drain().await;
    new.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_newer_build_reads_what_older_ones_left(pool: PgPool) {
    let left = put(&pool, &ping(7)).await;
    let registry =
        Registry::new().register::<NextPing, _>(handler(|job: NextPing, _| async move {
            assert_eq!(job.text, "7");
            Outcome::Done
        }));
    let new = start(&pool, registry, quick("new"));
    wait_for_state(&pool, left, "done").await;
    new.drain().await;
}

fn raw(kind: &'static str, kind_version: i32) -> NewJob {
    NewJob {
        kind: JobKind(kind),
        kind_version,
        queue: "test".to_owned(),
        payload: serde_json::json!({ "text": "two" }),
        key: None,
        run_at: RunAt::Now,
        priority: 0,
        max_attempts: 3,
        session_id: None,
        trace: None,
        enqueued_by: "test".to_owned(),
    }
}

async fn put_raw(pool: &PgPool, job: &NewJob) -> JobId {
    let mut connection = pool.acquire().await.unwrap();
    enqueue_raw(&mut connection, job).await.unwrap().id()
}

async fn park(pool: &PgPool) -> u64 {
    let mut connection = pool.acquire().await.unwrap();
    park_unhandled(&mut connection, &Unhandled::default())
        .await
        .unwrap()
}

/// What a day does.
async fn let_a_day_pass(pool: &PgPool) {
    sqlx::raw_sql("UPDATE jobs SET run_at = run_at - interval '25 hours'")
        .execute(pool)
        .await
        .unwrap();
}

/// A worker as its row shows it.
async fn register(pool: &PgPool, queue: &str, kind: &str, newest: i32, seen: &str) {
    sqlx::query!(
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots,
                              oldest_versions, newest_versions, seen_at, stopped_at)
         VALUES (gen_random_uuid(), 'w', 'h', 'b', ARRAY[$1::text], ARRAY[$2::text], 1,
                 '{1}', ARRAY[$3::integer], now() - $4::text::interval,
                 CASE WHEN $4::text::interval > interval '1 minute' THEN now() END)",
        queue,
        kind,
        newest,
        seen,
    )
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_no_worker_reads_for_a_day_is_parked_and_a_retry_brings_it_back(pool: PgPool) {
    let later = put_raw(&pool, &raw("ping", 2)).await;
    let own = put(&pool, &ping(1)).await;
    register(&pool, "test", "ping", 1, "0").await;
    assert_eq!(park(&pool).await, 0, "its worker may be on its way");
    let_a_day_pass(&pool).await;
    assert_eq!(park(&pool).await, 1);
    assert_eq!(load(&pool, own).await.state, "ready");
    let job = load(&pool, later).await;
    assert_eq!((job.state.as_str(), job.attempt), ("dead", 0));
    assert_eq!(job.outcome_class.as_deref(), Some("no_handler"));
    let mut connection = pool.acquire().await.unwrap();
    let acts = job_actions(&mut connection, later).await.unwrap();
    assert_eq!(
        (acts[0].verb.as_str(), acts[0].actor.as_str()),
        ("job.park", "system:sweep")
    );
    assert_eq!(acts[0].reason, job.outcome_reason);
    retry_job(&mut connection, later, &dana()).await.unwrap();
    assert_eq!(park(&pool).await, 0, "it has another day");
    let registry =
        Registry::new().register::<NextPing, _>(handler(|_: NextPing, _| async { Outcome::Done }));
    let new = start(&pool, registry, quick("new"));
    let job = wait_for_state(&pool, later, "done").await;
    assert_eq!((job.attempt, job.run_token), (1, 1));
    new.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn neither_an_outage_nor_a_rolling_deployment_gives_up_a_job(pool: PgPool) {
    let kept = put_raw(&pool, &raw("ping", 2)).await;
    let_a_day_pass(&pool).await;
    assert_eq!(park(&pool).await, 0, "no worker lives");
    register(&pool, "elsewhere", "ping", 1, "0").await;
    assert_eq!(park(&pool).await, 0, "none lives that serves the queue");
    register(&pool, "test", "ping", 2, "23 hours").await;
    register(&pool, "test", "ping", 1, "0").await;
    assert_eq!(park(&pool).await, 0, "one that reads it was there this day");
    assert_eq!(load(&pool, kept).await.state, "ready");
    sqlx::raw_sql(
        "UPDATE workers SET seen_at = seen_at - interval '2 hours' WHERE stopped_at IS NOT NULL",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(park(&pool).await, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_run_of_a_kind_that_is_gone_does_not_stay_running_for_ever(pool: PgPool) {
    let lost = put_raw(&pool, &raw("gone", 1)).await;
    sqlx::raw_sql(
        "UPDATE jobs SET state = 'running', run_token = 1, attempt = 1, lease_owner = gen_random_uuid(),
                         lease_until = now() - interval '25 hours'",
    )
    .execute(&pool)
    .await
    .unwrap();
    register(&pool, "test", "ping", 1, "0").await;
    assert_eq!(park(&pool).await, 1);
    let job = load(&pool, lost).await;
    assert_eq!((job.state.as_str(), job.lease_owner), ("dead", None));
}
