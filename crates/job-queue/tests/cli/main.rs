//! The command line: its shape without a database, and its answers with one.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod bench;
mod bounded;
mod golden;
mod lists;
mod many;
mod rehearsed;
mod seen;
mod single;
mod terminal;
mod watched;

use std::process::Output;

use clap::{CommandFactory as _, Parser};
use job_queue::{JobKind, NewJob, RunAt, cli::Command, enqueue_raw};
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgPool};

#[derive(Debug, Parser)]
struct Jobs {
    #[command(subcommand)]
    command: Command,
}

const ID: &str = "01931f4e-0000-7000-8000-000000000001";

pub(crate) fn parses(words: &[&str]) -> bool {
    Jobs::try_parse_from([&["jobs"], words].concat()).is_ok()
}

#[test]
fn the_command_tree_is_sound() {
    Jobs::command().debug_assert();
}

#[test]
fn ids_are_positional_and_writes_name_their_actor() {
    assert!(parses(&["show", ID]));
    assert!(parses(&["retry", ID, "--as", "dana", "--reason", "fixed"]));
    assert!(!parses(&["retry", ID]), "who retries must be said");
    assert!(
        !parses(&["cancel", "nine", "--as", "dana"]),
        "an id is a UUID"
    );
    assert!(parses(&["show", "01931f4e-00"]), "or its beginning");
    assert!(!parses(&["show", "01931"]), "of six digits");
}

#[test]
fn filters_and_limits_are_checked_before_anything_is_asked() {
    assert!(parses(&[
        "list", "--state", "dead", "--queue", "q", "--limit", "500"
    ]));
    assert!(!parses(&["list", "--state", "asleep"]));
    assert!(!parses(&["list", "--limit", "501"]));
    assert!(!parses(&["list", "--session", "x"]));
}

#[test]
fn what_cannot_be_taken_back_names_who_and_durations_have_units() {
    assert!(parses(&["snooze", ID, "--for", "10m", "--as", "dana"]));
    assert!(!parses(&["snooze", ID, "--for", "10", "--as", "dana"]));
    assert!(parses(&[
        "queues",
        "pause",
        "environments",
        "--as",
        "dana",
        "--for",
        "30m"
    ]));
    assert!(!parses(&["queues", "pause", "environments"]));
    assert!(!parses(&["workers", "evict", "w-1"]));
    assert!(!parses(&["schedules", "run", "sweep_stuck"]));
    assert!(!parses(&["wait"]), "something must be waited for");
}

pub(crate) async fn run(pool: &PgPool, words: &[&str]) -> Output {
    let url = pool.connect_options().to_url_lossy().to_string();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args(words)
        .args(["--database-url", &url])
        .output()
        .await
        .expect("the binary runs")
}

pub(crate) fn data(output: &Output) -> Value {
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    document["data"].clone()
}

pub(crate) async fn put(pool: &PgPool) -> String {
    put_in(pool, "test").await
}

pub(crate) async fn put_in(pool: &PgPool, queue: &str) -> String {
    let job = NewJob {
        kind: JobKind("ping"),
        kind_version: 1,
        queue: queue.to_owned(),
        payload: Value::Null,
        key: None,
        run_at: RunAt::Now,
        priority: 0,
        max_attempts: 3,
        session_id: None,
        trace: None,
        enqueued_by: "test".to_owned(),
    };
    let mut connection = pool.acquire().await.expect("a connection");
    let put = enqueue_raw(&mut connection, &job).await;
    put.expect("the job is taken").id().to_string()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_operator_sees_cancels_and_retries_a_job(pool: PgPool) {
    let id = put(&pool).await;
    assert_eq!(
        data(&run(&pool, &["list", "--state", "ready"]).await)["jobs"][0]["id"],
        id
    );
    let shown = data(&run(&pool, &["show", &id]).await);
    assert_eq!(shown["why_not_running"][0]["because"], "no_worker");
    let refused = run(&pool, &["retry", &id, "--as", "dana"]).await;
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(4), 0));
    let cancelled = run(
        &pool,
        &[
            "cancel", &id, "--as", "dana", "--reason", "no need", "--yes",
        ],
    )
    .await;
    assert_eq!(data(&cancelled)["outcome"], "cancelled");
    assert_eq!(
        data(&run(&pool, &["retry", &id, "--as", "dana"]).await)["outcome"],
        "requeued"
    );
    let shown = data(&run(&pool, &["show", &id]).await);
    assert_eq!(shown["actions"][0]["actor"], "staff:dana");
    assert_eq!(shown["actions"][0]["reason"], "no need");
    let missing = run(&pool, &["show", ID]).await;
    assert_eq!(missing.status.code(), Some(3));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn waiting_tells_of_jobs_that_end_otherwise_and_of_time_that_runs_out(pool: PgPool) {
    let id = put(&pool).await;
    let wait = ["wait", &id, "--timeout", "300ms"];
    let waited = run(&pool, &wait).await;
    assert_eq!(waited.status.code(), Some(8));
    assert_eq!(data(&waited)["jobs"][0]["state"], "ready");
    run(&pool, &["cancel", &id, "--as", "dana", "--yes"]).await;
    assert_eq!(run(&pool, &wait).await.status.code(), Some(7));
    let terminal = [&wait[..], &["--for", "terminal"]].concat();
    assert_eq!(run(&pool, &terminal).await.status.code(), Some(0));
    let done = "UPDATE jobs SET state = 'done'";
    sqlx::raw_sql(done).execute(&pool).await.unwrap();
    assert_eq!(run(&pool, &wait).await.status.code(), Some(0));
    assert_eq!(run(&pool, &["wait", ID]).await.status.code(), Some(3));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_run_is_killed_only_when_its_id_is_given_twice(pool: PgPool) {
    let id = put(&pool).await;
    let runs = "UPDATE jobs SET state = 'running', lease_owner = gen_random_uuid(), run_token = 1,
                       lease_until = now() + interval '1 minute', started_at = now()";
    sqlx::raw_sql(runs).execute(&pool).await.unwrap();
    let unconfirmed = run(&pool, &["kill", &id, "--as", "dana"]).await;
    assert_eq!(unconfirmed.status.code(), Some(6));
    let complaint: Value = serde_json::from_slice(&unconfirmed.stderr).unwrap();
    assert!(
        complaint.to_string().contains(&format!("--confirm {id}")),
        "{complaint}"
    );
    let kill = [
        "kill",
        &id,
        "--as",
        "dana",
        "--reason",
        "hung",
        "--confirm",
        &id,
    ];
    assert_eq!(data(&run(&pool, &kill).await)["outcome"], "killed");
    let shown = data(&run(&pool, &["show", &id]).await);
    assert_eq!(shown["attempts"][0]["outcome"], "killed");
    assert_eq!(shown["actions"][0]["verb"], "job.kill");
    assert_eq!(
        run(&pool, &kill).await.status.code(),
        Some(4),
        "it runs no more"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn queues_are_listed_paused_limited_and_resumed_and_typing_errors_named(pool: PgPool) {
    put(&pool).await;
    let missing = run(&pool, &["queues", "pause", "tset", "--as", "dana"]).await;
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("name one of: test"));
    let pause = [
        "queues",
        "pause",
        "test",
        "--as",
        "dana",
        "--reason",
        "maintenance",
        "--yes",
    ];
    let paused = run(&pool, &[&pause[..], &["--for", "30m"]].concat()).await;
    assert_eq!(data(&paused)["queue"]["paused_by"], "staff:dana");
    assert!(data(&paused)["queue"]["paused_until"].is_string());
    let listed = data(&run(&pool, &["queues", "list"]).await);
    let queue = &listed["queues"][0];
    assert_eq!(
        (&queue["ready"], &queue["paused_reason"]),
        (&1.into(), &"maintenance".into())
    );
    let resumed = run(&pool, &["queues", "resume", "test", "--as", "dana"]).await;
    assert!(data(&resumed)["queue"]["paused_at"].is_null());
    let set = async |setting: &[&str]| {
        let words = [&["queues", "set", "test"], setting, &["--as", "dana"]].concat();
        run(&pool, &words).await
    };
    let limited = data(&set(&["--concurrency", "5"]).await);
    assert_eq!(limited["queue"]["concurrency"], 5);
    let rated = data(&set(&["--rate", "20/s"]).await)["queue"].clone();
    assert_eq!(rated["rate_per_second"], 20.0);
    assert_eq!(rated["concurrency"], 5, "what is not named stays");
    let aged = data(&set(&["--priority-age", "10m"]).await)["queue"].clone();
    assert_eq!(aged["priority_age_seconds"], 600.0);
    let none = ["--concurrency", "--rate", "--priority-age"].map(|setting| [setting, "none"]);
    let neither = data(&set(&none.concat()).await);
    for setting in ["concurrency", "rate_per_second", "priority_age_seconds"] {
        assert!(neither["queue"][setting].is_null(), "{setting}");
    }
    assert_eq!(set(&[]).await.status.code(), Some(2));
    let set_all = async |limit: &str| {
        let words = [
            "queues",
            "set",
            "--all",
            "--concurrency",
            limit,
            "--as",
            "dana",
        ];
        data(&run(&pool, &words).await)
    };
    assert_eq!(set_all("7").await["all"]["concurrency"], 7);
    let listed = data(&run(&pool, &["queues", "list"]).await);
    assert_eq!(
        listed["all"],
        serde_json::json!({ "running": 0, "concurrency": 7 })
    );
    assert!(set_all("none").await["all"]["concurrency"].is_null());
    let both = [
        "queues",
        "set",
        "test",
        "--all",
        "--concurrency",
        "7",
        "--as",
        "dana",
    ];
    assert_eq!(run(&pool, &both).await.status.code(), Some(2));
    for zero in [["--concurrency", "0"], ["--rate", "0/s"]] {
        let zero = set(&zero).await;
        assert_eq!(zero.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&zero.stderr).contains("queues pause"));
    }
    let tiny = set(&["--priority-age", "5ms"]).await;
    assert_eq!(tiny.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&tiny.stderr).into_owned();
    assert!(complaint.contains("--priority-age"), "{complaint}");
    assert!(complaint.contains("at least 1s"), "{complaint}");
    for (setting, why) in [
        (["--rate", "20/s"], "a rate is of one queue"),
        (["--priority-age", "10m"], "a priority age is of one queue"),
    ] {
        let of_all = [&["queues", "set", "--all"], &setting[..], &["--as", "dana"]].concat();
        let refused = run(&pool, &of_all).await;
        assert_eq!(refused.status.code(), Some(2));
        let complaint: Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert!(complaint.to_string().contains(why), "{complaint}");
    }
    let done = sqlx::query_scalar!("SELECT verb FROM job_actions ORDER BY id");
    let done = done.fetch_all(&pool).await.unwrap();
    assert_eq!(
        done,
        [
            "queue.pause",
            "queue.resume",
            "queue.limit",
            "queue.rate",
            "queue.priority_age",
            "queue.limit",
            "queue.rate",
            "queue.priority_age",
            "queue.limit_all",
            "queue.limit_all"
        ]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn workers_are_listed_by_what_they_do_drained_and_evicted(pool: PgPool) {
    let three =
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at,
                                      stopped_at)
                 VALUES (gen_random_uuid(), 'w-1', 'h', 'b', '{test}', '{}', 1,
                         now() + interval '10 minutes', NULL),
                        (gen_random_uuid(), 'w-2', 'h', 'b', '{test}', '{}', 1,
                         now() - interval '5 minutes', NULL),
                        (gen_random_uuid(), 'w-3', 'h', 'b', '{test}', '{}', 1, now(), now())";
    sqlx::raw_sql(three).execute(&pool).await.unwrap();
    let states = async |words: &[&str]| -> Vec<String> {
        let listed = data(&run(&pool, words).await);
        let rows = listed["workers"].as_array().unwrap().iter();
        let mut states: Vec<_> = rows
            .map(|row| format!("{} {}", row["worker"]["name"], row["state"]).replace('"', ""))
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(&["workers", "list"]).await, ["w-1 working"]);
    let all = ["w-1 working", "w-2 silent", "w-3 ended"];
    assert_eq!(states(&["workers", "list", "--all"]).await, all);
    assert_eq!(
        states(&["workers", "list", "--stale"]).await,
        ["w-2 silent"]
    );
    let drained = run(&pool, &["workers", "drain", "w-1", "--as", "dana"]).await;
    assert_eq!(drained.status.code(), Some(0));
    assert_eq!(states(&["workers", "list"]).await, ["w-1 drained"]);
    run(&pool, &["workers", "undrain", "w-1", "--as", "dana"]).await;
    assert_eq!(states(&["workers", "list"]).await, ["w-1 working"]);
    let runs = "INSERT INTO jobs (id, queue, kind, payload, state, lease_owner, lease_until)
                SELECT gen_random_uuid(), 'test', 'ping', 'null', 'running', incarnation,
                       now() + interval '1 minute'
                FROM workers WHERE name = 'w-1'";
    sqlx::raw_sql(runs).execute(&pool).await.unwrap();
    let shown = data(&run(&pool, &["workers", "show", "w-1"]).await);
    assert_eq!(
        (&shown["state"], &shown["jobs"][0]["kind"]),
        (&"working".into(), &"ping".into())
    );
    sqlx::raw_sql("DELETE FROM jobs")
        .execute(&pool)
        .await
        .unwrap();
    let evict = ["workers", "evict", "w-1", "--as", "dana"];
    assert_eq!(run(&pool, &evict).await.status.code(), Some(6));
    let confirmed = run(&pool, &[&evict[..], &["--confirm", "w-1"]].concat()).await;
    assert_eq!(data(&confirmed)["jobs"], Value::Array(Vec::new()));
    let missing = run(&pool, &["workers", "drain", "w-9", "--as", "dana"]).await;
    assert_eq!(missing.status.code(), Some(3));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schedule_is_paused_resumed_and_run(pool: PgPool) {
    let pause = ["schedules", "pause", "sweep", "--as", "dana", "--for"];
    let why = ["--reason", "INC-7"];
    let missing = run(&pool, &[&pause[..], &["30m"], &why].concat()).await;
    assert_eq!(missing.status.code(), Some(3));
    let made =
        "INSERT INTO schedules (name, every, last_tick_at) VALUES ('sweep', '1 hour', now())";
    sqlx::raw_sql(made).execute(&pool).await.unwrap();
    let verb = async |verb: &str| {
        data(&run(&pool, &["schedules", verb, "sweep", "--as", "dana"]).await)["schedule"].clone()
    };
    for wrong in [
        &["2h", "--reason", "INC-7"][..],
        &["30m"],
        &["30m", "--reason", " "],
    ] {
        let refused = run(&pool, &[&pause[..], wrong].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
    let paused =
        data(&run(&pool, &[&pause[..], &["30m"], &why].concat()).await)["schedule"].clone();
    assert_eq!(paused["disabled_by"], "staff:dana");
    assert!(paused["disabled_until"].is_string());
    assert!(verb("resume").await["disabled_at"].is_null());
    assert!(verb("run").await["last_tick_at"].is_null());
    let listed = data(&run(&pool, &["schedules", "list"]).await);
    let schedule = &listed["schedules"][0];
    assert_eq!(schedule["every_seconds"], 3_600.0);
    assert!(schedule["next_tick_at"].is_string(), "it is due now");
    sqlx::raw_sql("UPDATE schedules SET is_pausable = false")
        .execute(&pool)
        .await
        .unwrap();
    let vital = run(&pool, &[&pause[..], &["30m"], &why].concat()).await;
    assert_eq!(
        vital.status.code(),
        Some(4),
        "what must go on is never paused"
    );
}

#[test]
fn an_answer_that_a_full_disk_does_not_take_is_a_failure_that_says_so() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .arg("--help")
        .stdout(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(5));
    let error: Value = serde_json::from_slice(&told.stderr).unwrap();
    assert_eq!(error["class"], "transient");
}

#[test]
fn what_is_no_operation_says_what_one_is() {
    let wrong = std::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args(["ops", "show", "01931f4e-0000-7000-8000-000000000001"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        told.contains("a whole number, as `ops list` shows it"),
        "{told}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missed_ticks_are_shown_until_somebody_applies_them(pool: PgPool) {
    let backfill = ["schedules", "backfill", "sweep", "--from", "1d"];
    let missing = run(&pool, &backfill).await;
    assert_eq!(missing.status.code(), Some(3));
    let made = "INSERT INTO schedules (name, every, last_tick_at)
                VALUES ('sweep', '1 hour', now() - interval '3 hours')";
    sqlx::raw_sql(made).execute(&pool).await.unwrap();
    let shown = data(&run(&pool, &backfill).await);
    assert_eq!(
        (&shown["count"], &shown["applied"]),
        (&2.into(), &false.into())
    );
    assert!(shown["ticks"][1].is_string());
    for (wrong, code) in [
        (&["--apply"][..], 2),
        (&["--to", "2999-01-01T00:00:00Z"], 2),
        (&["--to", "2d"], 2),
        (&["--apply", "--as", "dana", "--reason", " "], 2),
    ] {
        let refused = run(&pool, &[&backfill[..], wrong].concat()).await;
        assert_eq!(refused.status.code(), Some(code), "{wrong:?}");
    }
    let apply = [&backfill[..], &["--apply", "--as", "dana"]].concat();
    let applied = data(&run(&pool, &apply).await);
    assert_eq!(
        (&applied["count"], &applied["applied"]),
        (&2.into(), &true.into())
    );
    let again = data(&run(&pool, &apply).await);
    assert_eq!(
        (&again["count"], &again["already_asked"]),
        (&0.into(), &2.into())
    );
    assert_eq!(again["still_waiting"], 2);
    let text = run(&pool, &[&backfill[..], &["--output", "text"]].concat()).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("2 ticks, of which 2 not worked yet"),
        "{text}"
    );
    assert!(text.contains("is not on record"), "{text}");
    let listed = data(&run(&pool, &["schedules", "list"]).await);
    assert_eq!(listed["schedules"][0]["owed_ticks"], 2);
}
