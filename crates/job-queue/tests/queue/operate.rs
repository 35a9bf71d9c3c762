//! What operators see and do.

use std::time::Duration;

use job_queue::{
    ActionOutcome, EnqueueOptions, JobAction, JobFilter, JobState, OperateError, Outcome, Registry,
    RunAt, WhyNotRunning, WorkerRecord, cancel_job, job_actions, list_jobs, list_queues,
    list_workers, pause_queue, resume_queue, retry_job, why_not_running, workers_heard_of,
};
use session_identity::JobId;
use sqlx::PgPool;

use crate::support::{
    PATIENCE, Ping, handler, keyed, load, outcomes, ping, put, put_with, quick, start,
    wait_for_state,
};

fn dana() -> JobAction {
    JobAction {
        actor: "staff:dana".to_owned(),
        reason: Some("asked to".to_owned()),
    }
}

fn finishing() -> Registry {
    Registry::new().register::<Ping, _>(handler(|_: Ping, _| async { Outcome::Done }))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_cancelled_ready_job_never_runs_and_can_be_retried(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let id = put(&pool, &keyed("k")).await;
    assert!(matches!(
        retry_job(&mut connection, id, &dana()).await,
        Err(OperateError::Refused { verb: "retry", .. })
    ));
    let cancelled = cancel_job(&mut connection, id, &dana()).await.unwrap();
    assert_eq!(cancelled, ActionOutcome::Cancelled);
    let again = cancel_job(&mut connection, id, &dana()).await.unwrap();
    assert_eq!(again, ActionOutcome::Unchanged);
    let holder = put(&pool, &keyed("k")).await;
    assert!(matches!(
        retry_job(&mut connection, id, &dana()).await,
        Err(OperateError::KeyTaken { holder: found, .. }) if found == holder
    ));
    cancel_job(&mut connection, holder, &dana()).await.unwrap();
    assert_eq!(
        retry_job(&mut connection, id, &dana()).await.unwrap(),
        ActionOutcome::Requeued
    );
    let worker = start(&pool, finishing(), quick("w"));
    wait_for_state(&pool, id, "done").await;
    worker.drain().await;
    assert_eq!(load(&pool, holder).await.state, "cancelled");
    let verbs: Vec<_> = job_actions(&mut connection, id)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.verb)
        .collect();
    assert_eq!(verbs, ["job.cancel", "job.retry"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_running_job_learns_of_its_cancel_within_a_heartbeat(pool: PgPool) {
    let registry = Registry::new().register::<Ping, _>(handler(|_: Ping, context| async move {
        context.cancellation.cancelled().await;
        Outcome::Cancelled
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let mut connection = pool.acquire().await.unwrap();
    let asked = cancel_job(&mut connection, id, &dana()).await.unwrap();
    assert_eq!(asked, ActionOutcome::CancelRequested);
    wait_for_state(&pool, id, "cancelled").await;
    assert_eq!(outcomes(&pool, id).await, ["cancelled"]);
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn why_not_running_names_every_reason(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    put(&pool, &ping(0)).await;
    let later = RunAt::After(Duration::from_mins(10));
    let options = EnqueueOptions {
        run_at: later,
        ..EnqueueOptions::default()
    };
    let id = put_with(&pool, &ping(1), &options).await.id();
    pause_queue(&mut connection, "test", None, &dana())
        .await
        .unwrap();
    let reasons = why_not_running(&mut connection, id).await.unwrap();
    let [
        WhyNotRunning::NotDue { in_seconds, .. },
        WhyNotRunning::QueuePaused { by, .. },
        WhyNotRunning::NoWorker { .. },
        WhyNotRunning::Behind { jobs: 1 },
    ] = &reasons[..]
    else {
        panic!("unexpected reasons: {reasons:?}");
    };
    assert!((300.0..=600.0).contains(in_seconds));
    assert_eq!(by.as_deref(), Some("staff:dana"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn why_not_running_says_of_a_run_that_it_was_lost_or_asked_to_stop(pool: PgPool) {
    let registry = Registry::new().register::<Ping, _>(handler(|_: Ping, _| async {
        tokio::time::sleep(PATIENCE).await;
        Outcome::Done
    }));
    let worker = start(&pool, registry, quick("w"));
    let id = put(&pool, &ping(1)).await;
    wait_for_state(&pool, id, "running").await;
    let mut connection = pool.acquire().await.unwrap();
    let reasons = why_not_running(&mut connection, id).await.unwrap();
    assert_eq!(reasons, [], "it runs");
    worker.kill().await;
    cancel_job(&mut connection, id, &dana()).await.unwrap();
    // What the silence of a lease does.
    sqlx::query!(
        "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = $1",
        id.as_uuid(),
    )
    .execute(&pool)
    .await
    .unwrap();
    let reasons = why_not_running(&mut connection, id).await.unwrap();
    let [
        WhyNotRunning::LeaseExpired { worker, at },
        WhyNotRunning::CancelRequested { .. },
    ] = &reasons[..]
    else {
        panic!("unexpected reasons: {reasons:?}");
    };
    assert!(worker.is_some() && at.is_some());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_is_claimed_from_a_paused_queue_until_it_is_resumed(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    pause_queue(&mut connection, "test", None, &dana())
        .await
        .unwrap();
    let worker = start(&pool, finishing(), quick("w"));
    let id = put(&pool, &ping(1)).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(load(&pool, id).await.state, "ready");
    let queues = list_queues(&mut connection).await.unwrap();
    assert_eq!(
        (queues[0].ready, queues[0].paused_by.as_deref()),
        (1, Some("staff:dana"))
    );
    resume_queue(&mut connection, "test", &dana())
        .await
        .unwrap();
    wait_for_state(&pool, id, "done").await;
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn pages_follow_the_cursor(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(put(&pool, &ping(number)).await);
    }
    made.sort();
    made.reverse();
    let filter = JobFilter {
        state: Some(JobState::Ready),
        ..JobFilter::default()
    };
    let first = list_jobs(&mut connection, &filter, None, 3).await.unwrap();
    let second = list_jobs(&mut connection, &filter, Some(made[2]), 3)
        .await
        .unwrap();
    let listed: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|job| JobId::from_uuid(job.id))
        .collect();
    assert_eq!(listed, made);
    let worker = start(&pool, finishing(), quick("w"));
    for id in &made {
        wait_for_state(&pool, *id, "done").await;
    }
    worker.drain().await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_worker_that_lives_is_listed_however_many_have_started_since(pool: PgPool) {
    let known = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots,
                                      started_at, seen_at, stopped_at)
                 SELECT gen_random_uuid(), name, 'h', '1.8.2', '{test}', '{}', 1,
                        now() - started, now() - seen, now() - stopped
                 FROM (VALUES ('lives', interval '3 days', interval '-1 hour', NULL::interval),
                              ('silent', '2 days', '10 minutes', NULL),
                              ('ended', '1 day', '1 second', '1 second')) AS known (name, started, seen, stopped)";
    sqlx::raw_sql(known).execute(&pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let names = |workers: Vec<WorkerRecord>| -> Vec<_> {
        workers.into_iter().map(|worker| worker.name).collect()
    };
    for (limit, expected) in [(1, &["lives"][..]), (9, &["lives", "silent", "ended"])] {
        let listed = list_workers(&mut connection, limit).await.unwrap();
        assert_eq!(names(listed), expected);
    }
    for (within, expected) in [(30.0, &["lives"][..]), (1e9, &["lives", "silent"])] {
        let heard_of = workers_heard_of(&mut connection, within).await.unwrap();
        assert_eq!(names(heard_of), expected, "within {within} s");
    }
}
