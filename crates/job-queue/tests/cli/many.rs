//! Plural writes: which, how many, confirmed, worked, told.

use std::process::{Output, Stdio};
use std::time::Duration;

use job_queue::{BulkOperation, OperationHandler, QueueWorker, Registry, WorkerConfig};
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::terminal::asked;
use crate::{data, parses, put, put_in, run};

const PATIENCE: Duration = Duration::from_mins(1);

fn complaint(output: &Output) -> Value {
    assert!(output.stdout.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stderr).expect("one JSON error")
}

/// A worker of operations for as long as the work takes.
async fn with_worker<R>(pool: &PgPool, work: impl Future<Output = R>) -> R {
    let handler = OperationHandler::new(pool.clone());
    let registry = Registry::new().register::<BulkOperation, _>(handler);
    let worker = QueueWorker::builder(pool.clone(), registry, WorkerConfig::new("w")).build();
    let stop = CancellationToken::new();
    let (worked, drained) = tokio::join!(
        async {
            let worked = tokio::time::timeout(PATIENCE, work).await;
            stop.cancel();
            worked
        },
        worker.run(stop.clone()),
    );
    drained.expect("a drained worker");
    worked.expect("done in time")
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn flags_that_a_script_left_empty_or_that_contradict_each_other_change_nothing(pool: PgPool) {
    put(&pool).await;
    kill_all(&pool).await;
    let retry = ["retry", "--as", "dana", "--yes"];
    for (wrong, field) in [
        (&["--error", ""][..], "error"),
        (&["--queue", ""], "queue"),
        (&["--kind", ""], "kind"),
        (&["--all", "--queue", "test"], "all"),
        (&["--since", "1h", "--until", "2h"], "since"),
        (&["--since", "1h", "--older-than", "2h"], "since"),
    ] {
        let refused = run(&pool, &[&retry[..], wrong].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert_eq!(error["field"], field, "{wrong:?}");
    }
    let listed = run(&pool, &["list", "--since", "1h", "--until", "2h"]).await;
    assert_eq!(listed.status.code(), Some(2));
    let operations = data(&run(&pool, &["ops", "list"]).await);
    assert_eq!(operations["operations"], serde_json::json!([]));
}

async fn kill_all(pool: &PgPool) {
    let dead = "UPDATE jobs SET state = 'dead', finished_at = now(), outcome_class = 'timeout',
                       outcome_reason = 'after 3 s' WHERE kind = 'ping'";
    sqlx::raw_sql(dead).execute(pool).await.unwrap();
}

#[test]
fn a_job_or_many_and_never_both() {
    let id = "01931f4e-0000-7000-8000-000000000001";
    for flag in [
        &["--state", "dead"][..],
        &["--queue", "q"],
        &["--since", "2h"],
        &["--all"],
        &["--rate", "20/s"],
        &["--spread", "15m"],
    ] {
        assert!(
            parses(&[&["retry", "--as", "dana"], flag].concat()),
            "{flag:?}"
        );
        let both = [&["retry", id, "--as", "dana"], flag].concat();
        assert!(!parses(&both), "{both:?}");
    }
    assert!(
        !parses(&["purge", id, "--as", "dana"]),
        "only many are deleted"
    );
    assert!(
        !parses(&["retry", "--state", "dead"]),
        "who retries must be said"
    );
    assert!(!parses(&["list", "--since", "yesterday"]));
    assert!(!parses(&["list", "--older-than", "3"]));
    assert!(!parses(&["count", "--by", "colour"]));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn many_jobs_are_shown_first_then_confirmed_then_retried(pool: PgPool) {
    for _ in 0..3 {
        put(&pool).await;
    }
    kill_all(&pool).await;
    let retry = [
        "retry", "--state", "dead", "--as", "dana", "--reason", "INC-7",
    ];
    let shown = run(&pool, &[&retry[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (shown.status.code(), &data(&shown)["count"]),
        (Some(0), &3.into())
    );
    assert_eq!(data(&shown)["ids"].as_array().unwrap().len(), 3);
    let unconfirmed = run(&pool, &retry).await;
    assert_eq!(unconfirmed.status.code(), Some(6));
    let refusal = complaint(&unconfirmed);
    assert_eq!(refusal["message"], "nobody agreed to retry 3 jobs");
    assert_eq!(
        refusal["next"],
        "--yes --expect 3, or --dry-run to see which"
    );
    let grown = run(&pool, &[&retry[..], &["--yes", "--expect", "2"]].concat()).await;
    assert_eq!(grown.status.code(), Some(4));
    assert_eq!(complaint(&grown)["field"], "expect");
    let made = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM job_operations"#);
    assert_eq!(
        made.fetch_one(&pool).await.unwrap(),
        0,
        "nothing was changed so far"
    );

    let yes = [&retry[..], &["--yes", "--expect", "3"]].concat();
    let done = with_worker(&pool, run(&pool, &yes)).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let operation = data(&done)["operation"].clone();
    assert_eq!(
        (&operation["state"], &operation["changed"]),
        (&"done".into(), &3.into())
    );
    assert_eq!(operation["actor"], "staff:dana");
    let number = operation["id"].to_string();
    let shown = data(&run(&pool, &["ops", "show", &number]).await);
    assert_eq!(shown["operation"]["reason"], "INC-7");
    assert_eq!(shown["operation"]["filter"]["state"], "dead");
    assert_eq!(
        data(&run(&pool, &["ops", "list"]).await)["operations"][0]["id"],
        operation["id"]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_empty_filter_needs_all_and_one_that_matches_nothing_changes_nothing(pool: PgPool) {
    let empty = run(&pool, &["cancel", "--as", "dana", "--yes"]).await;
    assert_eq!(empty.status.code(), Some(2));
    assert_eq!(complaint(&empty)["field"], "all");
    let nothing = run(&pool, &["cancel", "--all", "--as", "dana"]).await;
    assert_eq!(
        (nothing.status.code(), &data(&nothing)["matched"]),
        (Some(0), &0.into())
    );
    let told = run(&pool, &["cancel", "--all", "--as", "dana", "-o", "text"]).await;
    assert_eq!(told.stdout, b"no job matches; nothing changed\n");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_that_do_not_fit_are_told_by_why_and_end_with_7(pool: PgPool) {
    put(&pool).await;
    put(&pool).await;
    kill_all(&pool).await;
    put(&pool).await;
    let retry = ["retry", "--kind", "ping", "--as", "dana", "--yes"];
    let partial = with_worker(&pool, run(&pool, &retry)).await;
    assert_eq!(partial.status.code(), Some(7), "{partial:?}");
    let operation = &data(&partial)["operation"];
    assert_eq!(operation["changed"], 2);
    // And before it is done: what is asked about is what will be changed.
    kill_all(&pool).await;
    put(&pool).await;
    let asked = complaint(&run(&pool, &retry[..5]).await);
    assert_eq!(
        asked["message"],
        "nobody agreed to retry 3 of the 4 jobs that match (1 ready do not fit)"
    );
    assert_eq!(asked["next"], "--yes --expect 3, or --dry-run to see which");
    assert_eq!(operation["skipped"], serde_json::json!({ "is_ready": 1 }));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_deleted_only_when_their_number_is_given(pool: PgPool) {
    put(&pool).await;
    put(&pool).await;
    kill_all(&pool).await;
    let purge = ["purge", "--state", "dead", "--as", "dana", "--yes"];
    for wrong in [&purge[..], &[&purge[..], &["--confirm", "1"]].concat()] {
        let refused = run(&pool, wrong).await;
        assert_eq!(refused.status.code(), Some(6));
        assert_eq!(complaint(&refused)["next"], "--confirm 2");
    }
    let confirmed = [&purge[..], &["--confirm", "2"]].concat();
    let done = with_worker(&pool, run(&pool, &confirmed)).await;
    assert_eq!(data(&done)["operation"]["changed"], 2);
    let listed = data(&run(&pool, &["list", "--kind", "ping"]).await);
    assert_eq!(listed["jobs"], Value::Array(Vec::new()));
}

/// How many seconds from now a job is due, and where it waits.
async fn waits(pool: &PgPool, id: &str) -> (f64, String) {
    let row = sqlx::query!(
        r#"SELECT extract(epoch FROM run_at - now())::float8 AS "due_in!", queue
           FROM jobs WHERE id = $1::text::uuid"#,
        id
    );
    let row = row.fetch_one(pool).await.unwrap();
    (row.due_in, row.queue)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_job_or_many_are_put_off_and_only_those(pool: PgPool) {
    let (one, other) = (put(&pool).await, put(&pool).await);
    let why = ["--as", "dana", "--reason", "INC-7"];
    let snoozed = run(
        &pool,
        &[&["snooze", &one, "--for", "2h"], &why[..]].concat(),
    )
    .await;
    assert_eq!(snoozed.status.code(), Some(0), "{snoozed:?}");
    assert_eq!(
        data(&snoozed),
        serde_json::json!({ "id": one, "outcome": "snoozed" })
    );
    let (hour, two_hours) = (3_600.0, 7_200.0);
    assert!((hour..=two_hours).contains(&waits(&pool, &one).await.0));
    assert!(waits(&pool, &other).await.0 <= 0.0, "due all the while");
    let shown = data(&run(&pool, &["show", &one]).await);
    assert_eq!(shown["actions"][0]["actor"], "staff:dana");

    let many = ["snooze", "--kind", "ping", "--for", "6h", "--yes"];
    let done = with_worker(&pool, run(&pool, &[&many[..], &why].concat())).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(data(&done)["operation"]["changed"], 2);
    for id in [&one, &other] {
        assert!(waits(&pool, id).await.0 > two_hours, "{id}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_moved_to_a_queue_that_is_known_and_keep_their_time(pool: PgPool) {
    let (one, other) = (put(&pool).await, put(&pool).await);
    let unknown = ["move", "--kind", "ping", "--to", "nowhere", "--as", "dana"];
    let refused = run(&pool, &unknown).await;
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(complaint(&refused)["field"], "to");
    assert_eq!(waits(&pool, &one).await.1, "test");

    put_in(&pool, "elsewhere").await;
    let to = [
        "--queue",
        "test",
        "--to",
        "elsewhere",
        "--as",
        "dana",
        "--yes",
    ];
    let done = with_worker(&pool, run(&pool, &[&["move"], &to[..]].concat())).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(data(&done)["operation"]["changed"], 2);
    for id in [&one, &other] {
        let (due_in, queue) = waits(&pool, id).await;
        assert_eq!(queue, "elsewhere");
        assert!(due_in <= 0.0, "{due_in}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn without_a_worker_an_operation_waits_says_why_and_can_be_cancelled(pool: PgPool) {
    put(&pool).await;
    let cancel = ["cancel", "--all", "--as", "dana", "--yes"];
    let left = run(&pool, &[&cancel[..], &["--no-wait"]].concat()).await;
    assert_eq!(left.status.code(), Some(0));
    assert_eq!(data(&left)["why_not_running"][0]["because"], "no_worker");
    let number = data(&left)["operation"]["id"].to_string();
    let late = run(&pool, &[&cancel[..], &["--timeout", "300ms"]].concat()).await;
    assert_eq!(late.status.code(), Some(8));
    assert_eq!(data(&late)["operation"]["state"], "waiting");
    let nobody = run(&pool, &["ops", "cancel", &number]).await;
    assert_eq!(nobody.status.code(), Some(2), "who cancels must be said");
    let end = ["ops", "cancel", &number, "--as", "dana"];
    assert_eq!(data(&run(&pool, &end).await)["outcome"], "cancelled");
    assert_eq!(data(&run(&pool, &end).await)["outcome"], "unchanged");
    let unknown = run(&pool, &["ops", "show", "999"]).await;
    assert_eq!(unknown.status.code(), Some(3));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_operation_whose_own_job_is_cancelled_is_not_waited_for(pool: PgPool) {
    put(&pool).await;
    let url = pool.connect_options().to_url_lossy().to_string();
    let watching = tokio::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args(["cancel", "--all", "--as", "dana", "--yes"])
        .args(["--database-url", &url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    wait_for_an_operation(&pool).await;
    let job = sqlx::query_scalar!(r#"SELECT job_id::text AS "id!" FROM job_operations"#);
    let job = job.fetch_one(&pool).await.unwrap();
    run(&pool, &["cancel", &job, "--as", "dana", "--yes"]).await;
    let ended = tokio::time::timeout(PATIENCE, watching.wait_with_output());
    let ended = ended.await.expect("it ends").unwrap();
    assert_eq!(ended.status.code(), Some(8));
    assert_eq!(data(&ended)["why_not_running"][0]["because"], "ended");
}

async fn wait_for_an_operation(pool: &PgPool) {
    let give_up = Instant::now() + PATIENCE;
    let made = async || {
        let made = sqlx::query_scalar!("SELECT id FROM job_operations");
        made.fetch_optional(pool).await.unwrap()
    };
    while made().await.is_none() {
        assert!(Instant::now() < give_up, "no operation was made");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn at_a_terminal_many_jobs_are_shown_and_asked_about(pool: PgPool) {
    for _ in 0..7 {
        put(&pool).await;
    }
    kill_all(&pool).await;
    let retry = ["retry", "--state", "dead", "--as", "dana", "-o", "text"];
    let (shown, refused) = asked(&pool, &retry, "n\n").await;
    assert_eq!(refused.status.code(), Some(6), "{shown}");
    assert!(shown.contains("Would retry 7 jobs, such as:"), "{shown}");
    assert!(shown.contains("Continue? [y/N]"), "{shown}");
    let samples = shown.lines().filter(|line| line.starts_with("  0"));
    assert_eq!(samples.count(), 5, "{shown}");
    let (shown, done) = with_worker(&pool, asked(&pool, &retry, "y\n")).await;
    assert_eq!(done.status.code(), Some(0), "{shown}");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        told.contains("retry by staff:dana, done, 7 of 7 changed"),
        "{told}"
    );
    assert!(shown.contains("] 7 of 7"), "the bar: {shown}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_interrupt_ends_the_watching_and_not_the_operation(pool: PgPool) {
    put(&pool).await;
    let url = pool.connect_options().to_url_lossy().to_string();
    let watching = tokio::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args([
            "cancel",
            "--all",
            "--as",
            "dana",
            "--yes",
            "--database-url",
            &url,
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    wait_for_an_operation(&pool).await;
    let process = watching.id().unwrap().to_string();
    let signalled = tokio::process::Command::new("kill")
        .args(["-INT", &process])
        .status();
    assert!(signalled.await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, watching.wait_with_output());
    let ended = ended.await.expect("it ends").unwrap();
    assert_eq!(ended.status.code(), Some(8));
    assert_eq!(data(&ended)["operation"]["state"], "waiting");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn dead_jobs_are_grouped_and_a_group_is_redriven(pool: PgPool) {
    put(&pool).await;
    put(&pool).await;
    kill_all(&pool).await;
    let listed = data(&run(&pool, &["dlq", "list"]).await);
    let group = &listed["groups"][0];
    assert_eq!(
        (&group["count"], &group["pattern"]),
        (&2.into(), &"after ? s".into())
    );
    let name = group["group"].as_str().unwrap();
    let by_error = data(&run(&pool, &["count", "--by", "error,state"]).await);
    assert_eq!(by_error["counts"][0]["error_group"], name);
    assert_eq!(by_error["counts"][0]["queue"], Value::Null);
    let nothing_named = run(&pool, &["dlq", "redrive", "--as", "dana", "--yes"]).await;
    assert_eq!(nothing_named.status.code(), Some(2));
    assert_eq!(complaint(&nothing_named)["field"], "group");
    let other = [
        "dlq", "redrive", "--group", "00000000", "--as", "dana", "--yes",
    ];
    assert_eq!(data(&run(&pool, &other).await)["matched"], 0);
    let redrive = ["dlq", "redrive", "--group", name, "--as", "dana", "--yes"];
    let done = with_worker(&pool, run(&pool, &redrive)).await;
    assert_eq!(data(&done)["operation"]["changed"], 2, "{done:?}");
    assert_eq!(
        data(&run(&pool, &["dlq", "list"]).await)["groups"],
        Value::Array(Vec::new())
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn ids_come_from_a_file_or_stdin_and_a_bad_line_is_named(pool: PgPool) {
    let ids = [put(&pool).await, put(&pool).await];
    put(&pool).await;
    let listed = piped(&pool, &["list", "--id-file", "-"], &ids.join("\n")).await;
    assert_eq!(data(&listed)["jobs"].as_array().unwrap().len(), 2);
    let wrong = format!("{}\nnine\n", ids[0]);
    let refused = piped(&pool, &["list", "--id-file", "-"], &wrong).await;
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        complaint(&refused)["message"],
        "line 2 is no job id: \"nine\""
    );
    let missing = run(&pool, &["list", "--id-file", "/nowhere/ids"]).await;
    assert_eq!(complaint(&missing)["field"], "id-file");
}

async fn piped(pool: &PgPool, words: &[&str], input: &str) -> Output {
    let url = pool.connect_options().to_url_lossy().to_string();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args(words)
        .args(["--database-url", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}
