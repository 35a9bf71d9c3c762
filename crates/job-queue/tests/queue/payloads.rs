//! No payload stops a worker, whatever the row holds (fault F5 of stock storage); what can never succeed
//! is not tried again (F6).

use job_queue::{
    EnqueueError, EnqueueOptions, JobFilter, NewJob, Outcome, Registry, RunAt, enqueue,
    enqueue_raw, list_jobs,
};
use serde_json::json;
use session_identity::JobId;
use sqlx::PgPool;

use crate::support::{
    Ping, handler, keyed, load, outcomes, ping, put, quick, start, wait_for_state,
};

fn finishing() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }))
}

fn raw(payload: serde_json::Value) -> NewJob {
    NewJob {
        kind: job_queue::JobKind("ping"),
        kind_version: 1,
        queue: "test".to_owned(),
        payload,
        key: None,
        run_at: RunAt::Now,
        priority: 5,
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

/// Rows that PostgreSQL takes, however they came to be. Only the database reads the text.
async fn overwrite_payload(pool: &PgPool, id: JobId, text: &str) {
    sqlx::query!(
        "UPDATE jobs SET payload = $2::text::jsonb WHERE id = $1",
        id.as_uuid(),
        text,
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Runs a worker over the given jobs and a good one, which they must not keep from running.
async fn ends_undecodable_beside_a_good_job(pool: &PgPool, bad: &[JobId]) {
    let good = put(pool, &ping(1)).await;
    let worker = start(pool, finishing(), quick("w"));
    for id in bad {
        let job = wait_for_state(pool, *id, "dead").await;
        assert_eq!(job.outcome_class.as_deref(), Some("undecodable"));
        assert_eq!(outcomes(pool, *id).await, ["dead"], "tried once");
    }
    let good = wait_for_state(pool, good, "done").await;
    assert_eq!((good.run_token, good.crash_count), (1, 0));
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_undecodable_payload_is_dead_and_the_worker_goes_on(pool: PgPool) {
    let bad = put_raw(&pool, &raw(json!({ "number": "no" }))).await;
    ends_undecodable_beside_a_good_job(&pool, &[bad]).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn json_nested_too_deep_to_be_read_is_dead_and_the_worker_goes_on(pool: PgPool) {
    let id = put(&pool, &ping(13)).await;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    overwrite_payload(&pool, id, &deep).await;
    ends_undecodable_beside_a_good_job(&pool, &[id]).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_number_too_large_to_be_read_is_dead_and_the_worker_goes_on(pool: PgPool) {
    let id = put(&pool, &ping(13)).await;
    overwrite_payload(&pool, id, r#"{ "number": 1e400, "key": null }"#).await;
    ends_undecodable_beside_a_good_job(&pool, &[id]).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_payload_that_cannot_be_read_is_still_shown_as_text(pool: PgPool) {
    let id = put(&pool, &ping(13)).await;
    put(&pool, &ping(1)).await;
    overwrite_payload(&pool, id, r#"{"number": 1e400}"#).await;
    let shown = load(&pool, id).await.payload;
    let text = shown.as_str().expect("text");
    assert!(text.starts_with(r#"{"number": 1000"#), "{text}");
    let mut connection = pool.acquire().await.unwrap();
    let listed = list_jobs(&mut connection, &JobFilter::default(), None, 10).await;
    assert_eq!(listed.unwrap().len(), 2);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_payload_of_10_megabytes_runs(pool: PgPool) {
    let filler = "x".repeat(10 << 20);
    let large = json!({ "number": 1, "key": null, "filler": filler });
    let id = put_raw(&pool, &raw(large)).await;
    let worker = start(&pool, finishing(), quick("w"));
    assert_eq!(wait_for_state(&pool, id, "done").await.run_token, 1);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_nul_is_refused_before_it_could_cost_the_callers_transaction(pool: PgPool) {
    let mut transaction = pool.begin().await.unwrap();
    let in_payload = raw(json!({ "text": ["a\0b"] }));
    let refused = enqueue_raw(&mut transaction, &in_payload).await;
    assert!(matches!(refused, Err(EnqueueError::Nul { .. })));
    let in_key = enqueue(&mut transaction, &keyed("a\0b"), &EnqueueOptions::default()).await;
    assert!(matches!(in_key, Err(EnqueueError::Nul { .. })));
    let next = enqueue_raw(&mut transaction, &raw(json!({ "number": 1 })))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(load(&pool, next.id()).await.state, "ready");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_can_never_succeed_is_dead_after_one_run(pool: PgPool) {
    let hopeless = Registry::new().register::<Ping, _>(handler(|_: Ping, _| async {
        Outcome::Dead {
            class: "no_such_exam".to_owned(),
            reason: "said so".to_owned(),
        }
    }));
    let id = put(&pool, &ping(1)).await;
    let worker = start(&pool, hopeless, quick("w"));
    let job = wait_for_state(&pool, id, "dead").await;
    assert_eq!(
        (job.attempt, job.outcome_class.as_deref()),
        (1, Some("no_such_exam"))
    );
    assert_eq!(outcomes(&pool, id).await, ["dead"]);
    worker.drain().await;
}
