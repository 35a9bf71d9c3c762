//! The command line: its shape without a database, and its answers with one.

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

fn parses(words: &[&str]) -> bool {
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

async fn run(pool: &PgPool, words: &[&str]) -> Output {
    let url = pool.connect_options().to_url_lossy().to_string();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_job-queue"))
        .args(words)
        .args(["--database-url", &url])
        .output()
        .await
        .expect("the binary runs")
}

fn data(output: &Output) -> Value {
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    document["data"].clone()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_operator_sees_cancels_and_retries_a_job(pool: PgPool) {
    let job = NewJob {
        kind: JobKind("ping"),
        kind_version: 1,
        queue: "test".to_owned(),
        payload: Value::Null,
        key: None,
        run_at: RunAt::Now,
        priority: 0,
        max_attempts: 3,
        session_id: None,
        trace: None,
        enqueued_by: "test".to_owned(),
    };
    let id = enqueue_raw(&mut pool.acquire().await.unwrap(), &job)
        .await
        .unwrap()
        .id()
        .to_string();
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
        &["cancel", &id, "--as", "dana", "--reason", "no need"],
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
