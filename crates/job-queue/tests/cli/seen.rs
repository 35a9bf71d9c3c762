//! What the looking verbs show: by time, by failure, by the beginning of an id, as lines.

use serde_json::Value;
use sqlx::PgPool;

use crate::{data, put, run};

async fn listed(pool: &PgPool, words: &[&str]) -> Vec<String> {
    let jobs = data(&run(pool, &[&["list"], words].concat()).await)["jobs"].clone();
    let jobs = jobs.as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_found_by_when_they_were_made_and_by_how_they_failed(pool: PgPool) {
    let old = put(&pool).await;
    let older = "UPDATE jobs SET created_at = now() - interval '3 hours',
                        outcome_class = 'timeout', outcome_reason = 'after 3 s'";
    sqlx::raw_sql(older).execute(&pool).await.unwrap();
    let new = put(&pool).await;
    for (words, found) in [
        (&["--since", "2h"][..], &new),
        (&["--until", "2h"], &old),
        (&["--older-than", "2h"], &old),
        (&["--error", "^timeout: after [0-9]+ s$"], &old),
    ] {
        assert_eq!(listed(&pool, words).await, [found.as_str()], "{words:?}");
    }
    assert_eq!(
        listed(&pool, &["--since", "2020-01-01T00:00:00Z", "--until", "4h"])
            .await
            .len(),
        0
    );
    let refused = run(&pool, &["list", "--error", "a("]).await;
    assert_eq!(refused.status.code(), Some(2));
    let complaint: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(complaint["field"], "error", "{complaint}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_job_is_named_by_the_beginning_of_its_id_where_just_one_begins_so(pool: PgPool) {
    let id = put(&pool).await;
    let shown = data(&run(&pool, &["show", &id[..30]]).await);
    assert_eq!(shown["job"]["id"], id.as_str());
    let undashed = id.replace('-', "");
    let cancel = ["cancel", &undashed[..20], "--as", "dana", "--yes"];
    assert_eq!(data(&run(&pool, &cancel).await)["id"], id.as_str());
    assert_eq!(run(&pool, &["show", "ffffff"]).await.status.code(), Some(3));
    let second = put(&pool).await;
    let ambiguous = run(&pool, &["show", &id[..6]]).await;
    assert_eq!(ambiguous.status.code(), Some(4));
    let complaint: Value = serde_json::from_slice(&ambiguous.stderr).unwrap();
    for id in [&id, &second] {
        assert!(
            complaint["next"].as_str().unwrap().contains(id.as_str()),
            "{complaint}"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_export_is_one_line_a_job_and_ends_with_their_number(pool: PgPool) {
    let many = "INSERT INTO jobs (id, queue, kind, payload)
                SELECT lpad(to_hex(n), 32, '0')::uuid, 'test', 'ping', to_jsonb(n)
                FROM generate_series(1, 1200) n";
    sqlx::raw_sql(many).execute(&pool).await.unwrap();
    let exported = run(&pool, &["export", "--queue", "test"]).await;
    let text = String::from_utf8(exported.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (end, jobs) = lines.split_last().unwrap();
    assert_eq!(
        (end["data"]["jobs"].as_u64(), jobs.len()),
        (Some(1_200), 1_200)
    );
    for (job, number) in jobs.iter().zip(1..) {
        assert_eq!(job["schema"], "job-queue/export.v1");
        assert_eq!(job["data"]["job"]["payload"], number);
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_queues_stats_say_what_comes_what_goes_and_when_it_is_empty(pool: PgPool) {
    for _ in 0..6 {
        put(&pool).await;
    }
    let stats = async || {
        let stats = data(&run(&pool, &["queues", "stats", "--window", "1m"]).await);
        stats["queues"][0].clone()
    };
    let grows = stats().await;
    assert_eq!(
        (&grows["trend"], &grows["ready"]),
        (&"grows".into(), &6.into())
    );
    assert_eq!(grows["arrivals_per_second"], 0.1);
    let four_are_done = "UPDATE jobs SET state = 'done', finished_at = now(),
                                started_at = now() - interval '2 seconds'
                         WHERE id IN (SELECT id FROM jobs LIMIT 4);
                         UPDATE jobs SET created_at = now() - interval '1 hour'";
    sqlx::raw_sql(four_are_done).execute(&pool).await.unwrap();
    let drains = stats().await;
    assert_eq!(
        (&drains["trend"], &drains["mean_run_seconds"]),
        (&"drains".into(), &2.0.into())
    );
    let eta = drains["eta_seconds"].as_f64().unwrap();
    assert!(
        (29.9..30.1).contains(&eta),
        "2 jobs at 4 a minute take 30 s: {eta}"
    );
}
