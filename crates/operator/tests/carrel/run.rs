//! Runs the binary against a test's own database.

use std::process::{Output, Stdio};

use serde_json::Value;
use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The sample exam that the demo uses, too.
const EXAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/exams/linux-fundamentals.json"
);

pub(crate) struct Carrel {
    database_url: String,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: i32,
    /// `data` of the document on stdout; null without one.
    pub(crate) data: Value,
    /// The error on stderr; null without one.
    pub(crate) error: Value,
}

/// How a call that prints many lines ended.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) exit: i32,
    pub(crate) all: Vec<String>,
    /// The error on stderr; null without one.
    pub(crate) error: Value,
}

impl Lines {
    /// `data` of each line, each a document of this schema but the last.
    pub(crate) fn data(&self, schema: &str) -> Vec<Value> {
        let (_, lines) = self.all.split_last().unwrap();
        let document = |line: &String| -> Value {
            let document: Value = serde_json::from_str(line).unwrap();
            assert_eq!(document["schema"], schema, "{line}");
            document["data"].clone()
        };
        lines.iter().map(document).collect()
    }

    /// `data` of the last line.
    pub(crate) fn last(&self) -> Value {
        let document: Value = serde_json::from_str(self.all.last().unwrap()).unwrap();
        document["data"].clone()
    }
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let (document, error) = (json(&output.stdout), json(&output.stderr));
        Self {
            exit: output.status.code().unwrap(),
            data: document.get("data").cloned().unwrap_or_default(),
            error,
        }
    }
}

impl Carrel {
    pub(crate) fn on(pool: &PgPool) -> Self {
        let database_url = pool.connect_options().to_url_lossy().to_string();
        Self { database_url }
    }

    /// Calls a verb that prints a document a line, to its end.
    pub(crate) async fn lines(&self, arguments: &[&str]) -> Lines {
        let output = self.command(arguments).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Lines {
            exit: output.status.code().unwrap(),
            all: text.lines().map(ToOwned::to_owned).collect(),
            error: json(&output.stderr),
        }
    }

    /// Calls a verb that prints a document a line, to its end, and does something after each line
    /// with how many there were.
    pub(crate) async fn follow(
        &self,
        arguments: &[&str],
        mut after: impl AsyncFnMut(usize),
    ) -> Lines {
        let mut command = self.command(arguments);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut all = Vec::new();
        while let Some(line) = printed.next_line().await.unwrap() {
            all.push(line);
            after(all.len()).await;
        }
        let output = child.wait_with_output().await.unwrap();
        Lines {
            exit: output.status.code().unwrap(),
            all,
            error: json(&output.stderr),
        }
    }

    /// Calls `carrel` with nothing of the test's own environment.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().await.unwrap())
    }

    /// A call with nothing of the test's own environment, to be spawned.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command
            .env_clear()
            .env("CARREL_DATABASE_URL", &self.database_url)
            .args(arguments)
            .kill_on_drop(true);
        command
    }

    /// Starts it; dropped, it is killed.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().unwrap()
    }

    /// Calls it and expects success.
    pub(crate) async fn data(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments).await;
        assert_eq!(ended.exit, 0, "{arguments:?}: {ended:?}");
        ended.data
    }

    /// Applies the sample exam, of which no environment is made here.
    pub(crate) async fn apply_exam(&self) {
        let untried = ["--unproven", "--reason", "no runtime here", "--by", "dana"];
        let apply = [&["exams", "apply", EXAM][..], &untried].concat();
        let applied = self.data(&apply).await;
        assert_eq!(applied["name"], "linux-fundamentals");
    }

    /// Requests a session of the sample exam and gives its id.
    pub(crate) async fn session(&self, user: &str) -> String {
        let exam = "linux-fundamentals";
        let created = self
            .data(&[
                "sessions",
                "create",
                "--user-id",
                user,
                "--exam",
                exam,
                "--as",
                "cli",
            ])
            .await;
        created["session"]["id"].as_str().unwrap().to_owned()
    }
}

/// Exactly one JSON document, or nothing at all.
fn json(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let text = String::from_utf8_lossy(bytes);
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
}
