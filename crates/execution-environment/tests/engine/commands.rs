//! The command line against a real engine and a real database.

use std::ffi::OsString;
use std::process::Stdio;

use execution_environment::{ExamDefinition, install_id, trials_of};
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::{bench, exam, setting};

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    /// The document's `data` on stdout; null without one.
    pub(crate) data: Value,
    /// The error on stderr; null without one.
    pub(crate) error: Value,
}

/// Says where environments can be made, for a process that knows nothing else.
pub(crate) fn engine() -> [(&'static str, OsString); 2] {
    ["DOCKER_HOST", "CARREL_KEEPER"].map(|name| (name, setting(name).into()))
}

/// Calls the binary with only these variables and this input.
pub(crate) async fn call(
    pool: &PgPool,
    words: &[&str],
    variables: &[(&str, OsString)],
    input: &str,
) -> Ended {
    let mut ended = call_whole(pool, words, variables, input).await;
    ended.data = ended.data["data"].take();
    ended
}

/// The same; its `data` is the whole document.
pub(crate) async fn call_whole(
    pool: &PgPool,
    words: &[&str],
    variables: &[(&str, OsString)],
    input: &str,
) -> Ended {
    let url = pool.connect_options().to_url_lossy().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_execution-environment"))
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(words)
        .args(["--database-url", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // Who refuses its flags reads no input.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    let output = child.wait_with_output().await.expect("the binary ends");
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    Ended {
        exit: output.status.code(),
        data: json(&output.stdout),
        error: json(&output.stderr),
    }
}

async fn apply(pool: &PgPool, exam: &ExamDefinition, more: &[&str]) -> Ended {
    let words = [&["exams", "apply", "--file", "-"], more].concat();
    let text = serde_json::to_string(exam).expect("an exam is data");
    call(pool, &words, &engine(), &text).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_is_proven_before_it_is_stored_and_not_again(pool: PgPool) {
    let first = apply(&pool, &exam(), &[]).await;
    assert_eq!(first.exit, Some(0), "{first:?}");
    assert_eq!(first.data["created"], true);
    assert_eq!(first.data["proven_on"], "engine");
    let again = apply(&pool, &exam(), &[]).await;
    assert_eq!(again.data["created"], false, "{again:?}");
    assert_eq!(again.data["proven_at"], first.data["proven_at"]);

    let listed = call(&pool, &["exams", "list"], &[], "").await;
    let listed = &listed.data["exams"][0];
    assert_eq!(listed["proven_at"], first.data["proven_at"]);
    let shown = call(&pool, &["exams", "show", "sample-exam"], &[], "").await;
    let proof = &shown.data["proof"];
    assert_eq!(proof["evidence"]["gaps"], serde_json::json!([]), "{proof}");
    assert!(proof["image_digest"].is_string(), "{proof}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_that_fails_its_trial_is_not_stored_and_leaves_nothing(pool: PgPool) {
    let refused = apply(&pool, &exam(), &["--image", "localhost/carrel-none:1"]).await;
    assert_eq!(refused.exit, Some(4), "{refused:?}");
    assert_eq!(refused.error["code"], "init.image_missing");
    assert_eq!(refused.error["field"], "image");
    let message = refused.error["message"].as_str().unwrap_or_default();
    assert!(message.contains("its image can be resolved"), "{message}");
    let listed = call(&pool, &["exams", "list"], &[], "").await;
    assert_eq!(listed.data["exams"], serde_json::json!([]));

    let install = install_id(&mut pool.acquire().await.expect("connected")).await;
    let trials = trials_of(install.expect("installed"));
    assert_eq!(bench().runtime.list(trials).await.expect("list"), []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn without_a_trial_somebody_says_why_and_it_stays_on_record(pool: PgPool) {
    let text = serde_json::to_string(&exam()).expect("an exam is data");
    let apply = ["exams", "apply", "--file", "-"];
    let nowhere = [("DOCKER_HOST", engine()[0].1.clone())];
    let lost = call(&pool, &apply, &nowhere, &text).await;
    assert_eq!(lost.exit, Some(2), "{lost:?}");
    assert_eq!(lost.error["field"], "keeper-path");
    let next = lost.error["next"].as_str().unwrap_or_default();
    assert!(
        next.contains("--unproven") && next.contains("--runtime"),
        "{next}"
    );

    let silence = ("DOCKER_HOST", OsString::from("tcp://127.0.0.1:9"));
    let unreachable = [engine()[1].clone(), silence];
    let lost = call(&pool, &apply, &unreachable, &text).await;
    assert_eq!(lost.exit, Some(5), "{lost:?}");
    assert_eq!(lost.error["code"], "engine.unreachable");
    let next = lost.error["next"].as_str().unwrap_or_default();
    assert!(next.contains("--unproven"), "{next}");

    let silent = [&apply[..], &["--unproven"]].concat();
    assert_eq!(call(&pool, &silent, &[], &text).await.exit, Some(2));
    let said = ["--reason", "no engine here", "--by", "dana"];
    let stored = call(&pool, &[&silent[..], &said].concat(), &[], &text).await;
    assert_eq!(stored.data["created"], true, "{stored:?}");
    assert_eq!(stored.data["proven_at"], Value::Null);
    let shown = call(&pool, &["exams", "show", "sample-exam"], &[], "").await;
    assert_eq!(shown.data["unproven_reason"], "no engine here");
    assert_eq!(shown.data["applied_by"], "staff:dana");
}
