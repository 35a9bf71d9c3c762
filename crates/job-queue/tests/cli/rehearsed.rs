//! Dry runs change nothing, and what many notice is agreed to first.

use serde_json::{Value, json};
use sqlx::{PgPool, Row as _};

use crate::{data, put, run};

const WHY: [&str; 4] = ["--as", "dana", "--reason", "INC-7"];

/// All that an operator's act could change, as text.
async fn everything(pool: &PgPool) -> String {
    let rows = "SELECT string_agg(row, E'\n' ORDER BY row) FROM (
                    SELECT j::text AS row FROM jobs j UNION ALL
                    SELECT a::text FROM job_attempts a UNION ALL
                    SELECT w::text FROM workers w UNION ALL
                    SELECT q::text FROM queues q UNION ALL
                    SELECT s::text FROM schedules s UNION ALL
                    SELECT a::text FROM job_actions a) rows";
    let all = sqlx::raw_sql(rows).fetch_one(pool).await.unwrap();
    all.get(0)
}

/// A worker with a run, which lives however slow the machine is; a queue, a schedule.
async fn at_work(pool: &PgPool) -> String {
    let id = put(pool).await;
    let made = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at)
                VALUES (gen_random_uuid(), 'w-1', 'h', '1.8.2', '{test}', '{}', 1,
                        now() + interval '1 hour');
                UPDATE jobs SET state = 'running', run_token = 1, started_at = now(),
                       lease_until = now() + interval '1 minute',
                       lease_owner = (SELECT incarnation FROM workers);
                INSERT INTO schedules (name, every, last_tick_at) VALUES ('sweep', '1 hour', now())";
    sqlx::raw_sql(made).execute(pool).await.unwrap();
    id
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_dry_run_says_what_it_would_be_and_changes_nothing(pool: PgPool) {
    let id = at_work(&pool).await;
    let before = everything(&pool).await;
    let would_be = async |words: &[&str]| {
        let output = run(&pool, &[words, &WHY, &["--dry-run"]].concat()).await;
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], "job-queue/preview.v1", "{words:?}");
        assert_eq!(document["data"]["count"], 1, "{words:?}");
        document["data"].clone()
    };
    let outcome = |preview: &Value| preview["would_be"]["outcome"].clone();
    assert_eq!(outcome(&would_be(&["kill", &id]).await), "killed");
    assert_eq!(
        outcome(&would_be(&["kill", &id, "--requeue"]).await),
        "requeued"
    );
    let cancel = would_be(&["cancel", &id]).await;
    assert_eq!(
        (outcome(&cancel), &cancel["ids"][0]),
        (json!("cancel_requested"), &json!(id))
    );
    let pause = would_be(&["queues", "pause", "test", "--for", "30m"]).await;
    assert_eq!(pause["would_be"]["queue"]["paused_by"], "staff:dana");
    let set = would_be(&["queues", "set", "test", "--concurrency", "5"]).await;
    assert_eq!(set["would_be"]["queue"]["concurrency"], 5);
    let set = would_be(&["queues", "set", "test", "--rate", "20/s"]).await;
    assert_eq!(set["would_be"]["queue"]["rate_per_second"], 20.0);
    let set = would_be(&["queues", "set", "test", "--priority-age", "10m"]).await;
    assert_eq!(set["would_be"]["queue"]["priority_age_seconds"], 600.0);
    would_be(&["queues", "resume", "test"]).await;
    would_be(&["workers", "drain", "w-1"]).await;
    would_be(&["workers", "drain", "--version", "<1.9"]).await;
    would_be(&["workers", "undrain", "w-1"]).await;
    let evict = would_be(&["workers", "evict", "w-1"]).await;
    assert_eq!(evict["ids"], json!([id]), "the jobs that would be taken");
    let pause = would_be(&["schedules", "pause", "sweep", "--for", "30m"]).await;
    assert!(pause["would_be"]["schedule"]["disabled_until"].is_string());
    would_be(&["schedules", "run", "sweep"]).await;
    would_be(&["schedules", "resume", "sweep"]).await;
    assert_eq!(everything(&pool).await, before);

    let refused = run(&pool, &[&["retry", &id, "--dry-run"], &WHY[..]].concat()).await;
    assert_eq!(
        refused.status.code(),
        Some(4),
        "refused as it would be: it runs"
    );
    let told = [&["kill", &id, "--dry-run", "-o", "text"], &WHY[..]].concat();
    let told = run(&pool, &told).await;
    assert!(
        told.stdout.starts_with(b"nothing changed; it would be:\n"),
        "{told:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_many_notice_is_agreed_to_first(pool: PgPool) {
    let id = at_work(&pool).await;
    for (words, what) in [
        (
            &["queues", "pause", "test"][..],
            "pause queue test".to_owned(),
        ),
        (&["cancel", &id], format!("cancel job {id}")),
        (
            &["workers", "drain", "--version", "<1.9"],
            "drain 1 worker".to_owned(),
        ),
    ] {
        let refused = run(&pool, &[words, &WHY].concat()).await;
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(6), 0));
        let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert_eq!(error["message"], format!("nobody agreed to {what}"));
        assert_eq!(error["field"], "yes");
        let agreed = run(&pool, &[words, &WHY, &["--yes"]].concat()).await;
        assert_eq!(agreed.status.code(), Some(0), "{agreed:?}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_more_workers_are_drained_than_somebody_looked_at(pool: PgPool) {
    at_work(&pool).await;
    let drain = [
        &["workers", "drain", "--version", "<1.9", "--yes"],
        &WHY[..],
    ]
    .concat();
    let before = everything(&pool).await;
    let grown = run(&pool, &[&drain[..], &["--expect", "0"]].concat()).await;
    assert_eq!((grown.status.code(), grown.stdout.len()), (Some(4), 0));
    let error: Value = serde_json::from_slice(&grown.stderr).unwrap();
    assert_eq!(error["message"], "drain 0 workers: it would be 1 by now");
    assert_eq!(error["field"], "expect");
    assert_eq!(everything(&pool).await, before);
    let as_seen = run(&pool, &[&drain[..], &["--expect", "1"]].concat()).await;
    assert_eq!(
        data(&as_seen)["workers"].as_array().map(Vec::len),
        Some(1),
        "{as_seen:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_retried_job_may_start_later_and_not_before(pool: PgPool) {
    let id = put(&pool).await;
    let dead = "UPDATE jobs SET state = 'dead', finished_at = now()";
    sqlx::raw_sql(dead).execute(&pool).await.unwrap();
    let retried = run(&pool, &[&["retry", &id, "--in", "2h"], &WHY[..]].concat()).await;
    assert_eq!(data(&retried)["outcome"], "requeued");
    let due = sqlx::raw_sql("SELECT run_at > now() + interval '1 hour' FROM jobs");
    let due = due.fetch_one(&pool).await.unwrap();
    assert!(due.get::<bool, _>(0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn drained_workers_are_waited_for_until_they_run_nothing(pool: PgPool) {
    at_work(&pool).await;
    let drain = [
        &["workers", "drain", "--version", "<1.9", "--yes", "--wait"],
        &WHY[..],
    ]
    .concat();
    let late = run(&pool, &[&drain[..], &["--timeout", "300ms"]].concat()).await;
    assert_eq!(
        (late.status.code(), &data(&late)["running"]),
        (Some(8), &json!(1))
    );
    let ends = async {
        let done = "UPDATE jobs SET state = 'done', finished_at = now(),
                           lease_owner = NULL, lease_until = NULL";
        sqlx::raw_sql(done).execute(&pool).await.unwrap();
    };
    let (idle, ()) = tokio::join!(run(&pool, &drain), ends);
    assert_eq!(
        (idle.status.code(), &data(&idle)["running"]),
        (Some(0), &json!(0))
    );
    let none = [&["workers", "drain", "--version", ">2"], &WHY[..]].concat();
    let none = data(&run(&pool, &none).await);
    assert_eq!(none["workers"], json!([]));
}
