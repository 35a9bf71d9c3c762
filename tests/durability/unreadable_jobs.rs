//! Jobs that this build cannot read, in one queue with good ones: each parks with its reason, and the
//! worker goes on (fault F5 of stock storage, where one such row ended the worker).

use std::time::Duration;

use job_queue::{EnqueueError, JobKind, NewJob, RunAt, Unhandled, enqueue_raw, park_unhandled};
use serde_json::{Value, json};
use sqlx::types::Uuid;
use system_tests::Weight;
use system_tests::ledger::{Note, Task};
use system_tests::wait::{SOON, until};

use crate::bench::Bench;
use crate::checker::Intent;
use crate::worker_plan::WorkerPlan;

/// First in the queue, so that no good job is done before a bad one was met.
fn raw(kind: &'static str, kind_version: i32, payload: Value) -> NewJob {
    NewJob {
        kind: JobKind(kind),
        kind_version,
        queue: "durability".to_owned(),
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

async fn put(bench: &mut Bench, job: &NewJob) -> Uuid {
    let mut connection = bench.pool().acquire().await.unwrap();
    let id = enqueue_raw(&mut connection, job).await.unwrap().id();
    bench.intents.push(Intent::acknowledged(id.as_uuid(), None));
    id.as_uuid()
}

/// Deeper than the worker reads, which only the database can write.
async fn put_deep(bench: &mut Bench) -> Uuid {
    let id = put(bench, &raw("note", 1, json!({}))).await;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    sqlx::query!(
        "UPDATE jobs SET payload = $2::text::jsonb WHERE id = $1",
        id,
        deep
    )
    .execute(bench.pool())
    .await
    .unwrap();
    id
}

async fn is_refused_with_a_nul(bench: &Bench) -> bool {
    let mut connection = bench.pool().acquire().await.unwrap();
    let refused = enqueue_raw(
        &mut connection,
        &raw("note", 1, json!({ "effect": "a\0b" })),
    )
    .await;
    matches!(refused, Err(EnqueueError::Nul { .. }))
}

#[tokio::test]
async fn each_job_that_cannot_be_read_parks_with_its_reason_and_the_worker_goes_on() {
    let mut bench = Bench::start(Weight::Light).await;
    let large = Value::String("x".repeat(10 << 20));
    let unreadable = [
        put(&mut bench, &raw("note", 1, json!({ "effect": 3 }))).await,
        put(&mut bench, &raw("note", 1, large)).await,
        put_deep(&mut bench).await,
    ];
    let unhandled = [
        put(&mut bench, &raw("a_kind_of_no_build", 1, json!({}))).await,
        put(&mut bench, &raw("note", 99, json!({}))).await,
    ];
    assert!(is_refused_with_a_nul(&bench).await);
    let good: Vec<_> = (0..30)
        .map(|it| Note(Task::new(format!("good {it}"))))
        .collect();
    let good = bench.put(&good).await;
    let worker = bench.work(&WorkerPlan::named("w"));
    for id in &good {
        bench.await_run(*id, "done", 1).await;
    }
    // What nobody reads waits for whoever might: no attempt is spent on it.
    for id in unhandled {
        bench.await_run(id, "ready", 0).await;
    }
    let policy = Unhandled {
        after: Duration::from_secs(1),
        ..Unhandled::default()
    };
    until("what nobody reads is parked", SOON, async || {
        let mut connection = bench.pool().acquire().await.ok()?;
        park_unhandled(&mut connection, &policy).await.ok()?;
        let [unknown, later] = unhandled;
        let unknown = crate::evidence::job(bench.pool(), unknown).await.ok()?;
        let later = crate::evidence::job(bench.pool(), later).await.ok()?;
        (unknown.state == "dead" && later.state == "dead").then_some(())
    })
    .await;
    // And the worker is the one that it was.
    let next = bench.put_one(Note(Task::new("afterwards"))).await;
    bench.await_run(next, "done", 1).await;
    let evidence = bench.judge(SOON).await;
    for id in unreadable {
        let job = evidence.job(id);
        assert_eq!(job.outcome_class.as_deref(), Some("undecodable"));
        assert_eq!(evidence.outcomes(id), ["dead"], "tried once");
    }
    for id in unhandled {
        let job = evidence.job(id);
        assert_eq!(job.outcome_class.as_deref(), Some("no_handler"));
        assert_eq!((job.attempt, job.run_token), (0, 0));
    }
    let drained = bench.drain(worker).await;
    assert_eq!((drained.recorded, drained.stale), (34, 0));
}
