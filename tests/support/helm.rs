//! Helm and kubectl as an administrator runs them, from the run's one binary.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::settings::{checkout, setting};

/// Begins a call of `helm` or `kubectl`.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(setting("CARREL_CLUSTER_BIN"));
    command
        .arg(program)
        .args(arguments)
        .env("KUBECONFIG", setting("KUBECONFIG"))
        .current_dir(checkout("deploy"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs it to its end, whatever that is.
pub async fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = command(program, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the cluster's binary starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    let write = async {
        // What takes no input may have ended already.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
    };
    let ((), done) = tokio::join!(write, child.wait_with_output());
    done.expect("it ends")
}

/// Runs what must succeed, and returns what it printed.
pub async fn succeed(program: &str, arguments: &[&str], input: &str) -> String {
    let done = run(program, arguments, input).await;
    // A command that finds something wrong tells what on its standard output.
    let [printed, complaint] =
        [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(
        done.status.success(),
        "{program} {arguments:?}: {complaint}{printed}"
    );
    String::from_utf8(done.stdout).expect("it prints text")
}

/// Runs what must be refused, and returns the complaint.
pub async fn refused(program: &str, arguments: &[&str], input: &str) -> String {
    let done = run(program, arguments, input).await;
    assert!(!done.status.success(), "{program} {arguments:?} succeeded");
    String::from_utf8(done.stderr).expect("complaints are text")
}

/// Reads objects as data; none where there are none.
pub async fn objects(arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--output", "json", "--ignore-not-found"]].concat();
    let text = succeed("kubectl", &arguments, "").await;
    let Ok(list) = serde_json::from_str::<Value>(&text) else {
        return Vec::new();
    };
    match list["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![list],
    }
}

/// Reads YAML documents as the cluster's own tools do.
pub async fn parsed(documents: &str) -> Vec<Value> {
    let arguments = [
        "create",
        "--dry-run=client",
        "--validate=false",
        "--output=json",
        "-f",
        "-",
    ];
    let text = succeed("kubectl", &arguments, documents).await;
    let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    documents
        .map(|document| document.expect("kubectl prints JSON"))
        .flat_map(|document| match document["items"].as_array() {
            Some(items) => items.clone(),
            None => vec![document],
        })
        .collect()
}
