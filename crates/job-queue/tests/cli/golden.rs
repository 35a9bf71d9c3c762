//! What scripts read of queue verbs, whole: a field that goes, comes or changes its name is seen here.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{put, run};

/// The whole document; times and ages, which no two runs share, are told by their kind.
async fn document(pool: &PgPool, words: &[&str]) -> Value {
    let output = run(pool, words).await;
    assert!(output.status.success(), "{words:?}: {output:?}");
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    redact(&mut document);
    document
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), &*field) {
                    ("paused_at" | "paused_until", Value::String(_)) => *field = json!("[time]"),
                    ("oldest_ready_seconds", Value::Number(_)) => *field = json!("[age]"),
                    _ => redact(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// The queue that the jobs of these tests wait in, with what pausing writes.
fn queue(paused: [Value; 4]) -> Value {
    let [at, by, reason, until] = paused;
    json!({
        "name": "test",
        "ready": 1,
        "scheduled": 0,
        "running": 0,
        "dead": 0,
        "oldest_ready_seconds": "[age]",
        "paused_at": at,
        "paused_by": by,
        "paused_reason": reason,
        "paused_until": until,
        "concurrency": null,
        "rate_per_second": null,
        "priority_age_seconds": null,
    })
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn queues_are_listed_paused_and_resumed_in_these_very_documents(pool: PgPool) {
    put(&pool).await;
    let open = || queue([Value::Null, Value::Null, Value::Null, Value::Null]);
    assert_eq!(
        document(&pool, &["queues", "list"]).await,
        json!({
            "schema": "job-queue/queues-list.v1",
            "data": { "queues": [open()], "all": { "running": 0, "concurrency": null } },
        })
    );
    let words = ["queues", "pause", "test", "--for", "30m"];
    let pause = [&words[..], &["--as", "dana", "--reason", "INC-7", "--yes"]].concat();
    let time = || json!("[time]");
    let closed = queue([time(), json!("staff:dana"), json!("INC-7"), time()]);
    assert_eq!(
        document(&pool, &pause).await,
        json!({ "schema": "job-queue/queues-pause.v1", "data": { "queue": closed } })
    );
    assert_eq!(
        document(&pool, &["queues", "resume", "test", "--as", "dana"]).await,
        json!({ "schema": "job-queue/queues-resume.v1", "data": { "queue": open() } })
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn queues_are_limited_rehearsed_and_measured_in_these_very_documents(pool: PgPool) {
    put(&pool).await;
    let mut limited = queue([Value::Null, Value::Null, Value::Null, Value::Null]);
    limited["concurrency"] = json!(5);
    limited["rate_per_second"] = json!(0.5);
    limited["priority_age_seconds"] = json!(600.0);
    let set = [
        "queues",
        "set",
        "test",
        "--concurrency",
        "5",
        "--rate",
        "0.5/s",
        "--priority-age",
        "10m",
        "--as",
        "dana",
    ];
    let would_be = json!({ "queue": limited.clone() });
    assert_eq!(
        document(&pool, &[&set[..], &["--dry-run"]].concat()).await,
        json!({
            "schema": "job-queue/preview.v1",
            "data": { "count": 1, "ids": ["test"], "would_be": would_be },
        })
    );
    assert_eq!(
        document(&pool, &set).await,
        json!({ "schema": "job-queue/queues-set.v1", "data": would_be })
    );
    let measured = json!({
        "arrivals_per_second": 0.0,
        "finishes_per_second": 0.0,
        "mean_run_seconds": null,
        "trend": "stands",
        "eta_seconds": null,
    });
    let measured = measured.as_object().unwrap().clone();
    limited.as_object_mut().unwrap().extend(measured);
    let long_ago = "UPDATE jobs SET created_at = now() - interval '1 hour'";
    sqlx::raw_sql(long_ago).execute(&pool).await.unwrap();
    assert_eq!(
        document(&pool, &["queues", "stats"]).await,
        json!({
            "schema": "job-queue/queues-stats.v1",
            "data": { "window_seconds": 300.0, "queues": [limited] },
        })
    );
}
