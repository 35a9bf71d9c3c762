//! Words for a shell: from a real bash, and from a database that answers, hangs, refuses or is away.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::run::Carrel;

/// Nothing answers there, at once.
const AWAY: &str = "postgres://postgres@127.0.0.1:1/carrel";
const PATIENCE: Duration = Duration::from_mins(1);
const OF_EVERY_INSTALLATION: [&str; 3] = ["environments", "operations", "sessions"];

/// Has bash complete: the line up to the cursor, and what of it readline would replace.
const COMPLETES: &str = r#"
source <(carrel completions bash -o text)
COMP_LINE=$1 COMP_POINT=${#1}
_carrel carrel "$2"
(( ${#COMPREPLY[@]} == 0 )) || printf '%s\n' "${COMPREPLY[@]}"
"#;

/// A bash with `carrel` and a database, which is `None` where none is named.
struct Bash<'a> {
    database_url: Option<&'a str>,
    /// How long the database may take; `None` for what it may at an operator's keyboard.
    budget: Option<&'a str>,
}

impl<'a> Bash<'a> {
    /// Of a database that is to be heard, however busy this machine is.
    fn hearing(database_url: &'a str) -> Self {
        Self {
            database_url: Some(database_url),
            budget: Some("10m"),
        }
    }

    fn at_a_keyboard(database_url: Option<&'a str>) -> Self {
        Self {
            database_url,
            budget: None,
        }
    }

    async fn run(&self, script: &str, words: &[&str]) -> Output {
        let carrel = Path::new(env!("CARGO_BIN_EXE_carrel"));
        let path = format!("{}:/usr/bin:/bin", carrel.parent().unwrap().display());
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", script, "bash"]).args(words);
        bash.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
        bash.kill_on_drop(true);
        if let Some(url) = self.database_url {
            bash.env("CARREL_DATABASE_URL", url);
        }
        if let Some(budget) = self.budget {
            bash.env("CARREL_COMPLETION_BUDGET", budget);
        }
        let output = timeout(PATIENCE, bash.output()).await;
        output.expect("it ends").unwrap()
    }

    /// The words for a line; nothing else may be seen at the terminal.
    async fn words(&self, line: &str) -> Vec<String> {
        let replaced = line.rsplit([' ', '=', ':']).next().unwrap();
        let output = self.run(COMPLETES, &[line, replaced]).await;
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

fn url(pool: &PgPool) -> String {
    pool.connect_options().to_url_lossy().to_string()
}

async fn write(pool: &PgPool, rows: &'static str) {
    sqlx::raw_sql(rows).execute(pool).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn names_come_from_the_database(pool: PgPool) {
    Carrel::on(&pool).apply_exam().await;
    write(
        &pool,
        "INSERT INTO jobs (id, queue, kind, payload) VALUES (gen_random_uuid(), 'waiting', 'k', '1');
         INSERT INTO jobs (id, queue, kind, payload, state, finished_at, outcome_class, outcome_reason)
         VALUES (gen_random_uuid(), 'graveyard', 'k', '1', 'dead', now(), 'timeout', 'after 3 s');
         INSERT INTO queues (name) VALUES ('closed');
         INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
         VALUES (gen_random_uuid(), 'worker-7f', 'h', 'b', '{served}', '{grade_exam}', 1);
         INSERT INTO schedules (name, every) VALUES ('nightly', '1 day')",
    )
    .await;
    let group = sqlx::query_scalar!(
        r#"SELECT job_error_group(kind, outcome_class, outcome_reason) AS "group!"
           FROM jobs WHERE state = 'dead'"#
    );
    let group = group.fetch_one(&pool).await.unwrap();
    let url = url(&pool);
    let bash = Bash::hearing(&url);
    let queues = ["closed", "graveyard", "served", "waiting"];
    for (line, wanted) in [
        ("carrel jobs list --queue ", &queues[..]),
        ("carrel jobs list --queue=w", &["waiting"]),
        ("carrel queues pause gr", &["graveyard"]),
        ("carrel jobs move --all --to c", &["closed"]),
        ("carrel jobs count --kind ", &["grade_exam"]),
        ("carrel workers drain ", &["worker-7f"]),
        ("carrel jobs list --worker w", &["worker-7f"]),
        ("carrel schedules pause ", &["nightly"]),
        ("carrel exams show l", &["linux-fundamentals"]),
        ("carrel sessions extend --exam ", &["linux-fundamentals"]),
        ("carrel dlq redrive --group ", &[group.as_str()]),
        ("carrel jobs list --state d", &["done", "dead"]),
        ("carrel queues pa", &["pause"]),
        ("carrel no-such verb ", &[]),
    ] {
        assert_eq!(bash.words(line).await, wanted, "{line}");
    }
    let named = format!("carrel --database-url {url} queues pause gr");
    let elsewhere = Bash::hearing(AWAY);
    assert_eq!(elsewhere.words(&named).await, ["graveyard"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_is_never_among_the_words(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let session = carrel.session("u-1042").await;
    let url = url(&pool);
    let bash = Bash::hearing(&url);
    for line in [
        "carrel sessions show ",
        "carrel sessions create --user-id ",
        "carrel jobs list --session ",
        "carrel jobs show ",
        "carrel audit list --actor ",
    ] {
        let words = bash.words(line).await.join(" ");
        let is_told = words.contains(&session[..8]) || words.contains("u-1042");
        assert!(!is_told, "{line}: {words}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_name_is_one_word_and_never_a_call_however_it_was_begun(pool: PgPool) {
    const NAME: &str = "a b$(echo called >&2)`x`;'\"\\é!*";
    let made = sqlx::query!("INSERT INTO queues (name) VALUES ($1)", NAME);
    made.execute(&pool).await.unwrap();
    let url = url(&pool);
    let bash = Bash::hearing(&url);
    // What readline does with the one word there is: it takes the place of the typed part, within its quote.
    let takes = format!(
        "{COMPLETES}
         taken=\"$3${{COMPREPLY[0]}}$4\"; eval \"set -- $taken\"; printf '%s|%s' \"$1\" \"$#\" >&2"
    );
    for (line, replaced, open, close) in [
        ("carrel queues pause a", "a", "", ""),
        ("carrel queues pause a\\ b", "a\\ b", "", ""),
        ("carrel queues pause 'a b", "'a b", "'", "'"),
        ("carrel queues pause \"a b", "\"a b", "\"", "\""),
        ("carrel jobs list --queue=a", "a", "", ""),
    ] {
        let output = bash.run(&takes, &[line, replaced, open, close]).await;
        let taken = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(taken, format!("{NAME}|1"), "{line}: {output:?}");
    }
}

#[tokio::test]
async fn without_a_database_the_words_that_need_none_stand_and_nothing_is_said() {
    for url in [None, Some(AWAY), Some("nonsense"), Some("postgres://a b")] {
        let bash = Bash::at_a_keyboard(url);
        let queues = bash.words("carrel queues pause ").await;
        assert_eq!(queues, OF_EVERY_INSTALLATION, "{url:?}");
        let kinds = bash.words("carrel jobs list --kind p").await;
        assert_eq!(kinds, ["provision_environment"], "{url:?}");
        let schedules = bash.words("carrel schedules pause sweep_st").await;
        assert_eq!(schedules, ["sweep_stuck"], "{url:?}");
        assert!(bash.words("carrel workers drain ").await.is_empty());
    }
}

/// With no bound of its own it would wait here for ever.
#[tokio::test]
async fn a_database_that_never_answers_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://postgres@{}/carrel",
        listener.local_addr().unwrap()
    );
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept().await {
            open.push(connection);
        }
    });
    let bash = Bash::at_a_keyboard(Some(&url));
    assert_eq!(
        bash.words("carrel queues pause ").await,
        OF_EVERY_INSTALLATION
    );
    silent.abort();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_table_that_somebody_holds_holds_nobody_up(pool: PgPool) {
    let mut holder = pool.begin().await.unwrap();
    let held = "LOCK TABLE queues IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(held).execute(&mut *holder).await.unwrap();
    let url = url(&pool);
    let bash = Bash::at_a_keyboard(Some(&url));
    assert_eq!(
        bash.words("carrel queues pause ").await,
        OF_EVERY_INSTALLATION
    );
    holder.rollback().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_database_without_tables_and_one_that_refuses_leave_the_known_words(pool: PgPool) {
    let url = url(&pool);
    let bash = Bash::hearing(&url);
    assert_eq!(
        bash.words("carrel queues pause ").await,
        OF_EVERY_INSTALLATION
    );
    let refused = format!("{url}_that_is_not_there");
    let bash = Bash::hearing(&refused);
    assert_eq!(
        bash.words("carrel queues pause ").await,
        OF_EVERY_INSTALLATION
    );
}

#[sqlx::test(migrations = false)]
async fn each_shell_has_a_script_that_asks_in_its_name(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let told = carrel.data(&["completions", shell]).await;
        assert_eq!(told["shell"], shell);
        let script = told["script"].as_str().unwrap();
        assert!(script.contains(&format!("completions {shell}")), "{script}");
        let words = ["completions", shell, "-o", "text"];
        let alone = carrel.command(&words).output().await.unwrap();
        let alone = String::from_utf8(alone.stdout).unwrap();
        assert!(alone.trim_end() == script.trim_end(), "and alone");
    }
    let told = carrel.data(&["completions", "bash"]).await;
    assert!(is_read_by_bash(told["script"].as_str().unwrap()).await);
}

/// Whether bash finds nothing wrong with a script that it does not run.
async fn is_read_by_bash(script: &str) -> bool {
    let mut bash = Command::new("bash");
    let mut bash = bash.arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).await.unwrap();
    drop(stdin);
    bash.wait().await.unwrap().success()
}
