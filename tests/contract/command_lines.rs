//! What operators and scripts rely on: verbs, one versioned document, exit codes.

use std::process::{Command, Output};

use serde_json::Value;
use system_tests::settings::binary;

/// The operator's verbs of this release.
const OPERATOR: [&[&str]; 41] = [
    &["jobs", "list"],
    &["jobs", "show"],
    &["jobs", "retry"],
    &["jobs", "cancel"],
    &["jobs", "kill"],
    &["jobs", "wait"],
    &["jobs", "export"],
    &["jobs", "move"],
    &["jobs", "purge"],
    &["ops", "show"],
    &["ops", "cancel"],
    &["dlq", "list"],
    &["dlq", "redrive"],
    &["queues", "stats"],
    &["queues", "set"],
    &["migrate", "sql"],
    &["migrate", "validate"],
    &["queues", "pause"],
    &["workers", "drain"],
    &["workers", "evict"],
    &["schedules", "run"],
    &["schedules", "pause"],
    &["schedules", "backfill"],
    &["sessions", "list"],
    &["sessions", "show"],
    &["sessions", "explain"],
    &["sessions", "events"],
    &["sessions", "watch"],
    &["recordings", "list"],
    &["recordings", "verify"],
    &["recordings", "export"],
    &["recordings", "keygen"],
    &["exams", "apply"],
    &["migrate", "up"],
    &["audit", "list"],
    &["token", "issue"],
    &["sweep"],
    &["doctor"],
    &["version"],
    &["completions"],
    &["bench"],
];

/// The processes.
const PROCESSES: [&str; 4] = [
    "carrel-api",
    "carrel-worker",
    "carrel-terminal",
    "carrel-keeper",
];

/// Runs a binary as from a bare shell: no setting of the test's own reaches it.
fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary(name));
    command.args(arguments).env_clear();
    command.output().unwrap()
}

/// The one JSON document of a stream.
fn document(name: &str, stream: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stream);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error} in {text:?}"))
}

#[test]
fn every_process_explains_itself() {
    for name in PROCESSES {
        let help = run(name, &["--help"]);
        assert!(help.status.success(), "{name} --help: {help:?}");
        let lines = String::from_utf8_lossy(&help.stdout).lines().count();
        assert!(lines > 3 && help.stderr.is_empty(), "{name}: {help:?}");
    }
}

#[test]
fn the_operator_has_every_verb_of_this_release() {
    for verb in OPERATOR {
        let help = run("carrel", &[verb, &["--help"]].concat());
        assert!(help.status.success(), "carrel {}", verb.join(" "));
    }
}

#[test]
fn what_needs_no_database_answers_with_one_versioned_document() {
    let id = "0190f3f2-7c1e-7b6a-9c55-3f2b6c1d9a10";
    let asked: [(&str, &[&str]); 3] = [
        (
            "session-identity",
            &["validate", "--user-id", "u-1042", "--session-id", id],
        ),
        ("session-lifecycle", &["table"]),
        ("failure-classification", &["codes"]),
    ];
    for (name, arguments) in asked {
        let output = run(name, arguments);
        assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
        let document = document(name, &output.stdout);
        let schema = document["schema"].as_str().unwrap();
        let named = schema.split_once('/').and_then(|(crate_name, rest)| {
            let (_, version) = rest.rsplit_once('.')?;
            Some((crate_name, version))
        });
        assert_eq!(named, Some((name, "v1")), "{schema}");
        assert!(!document["data"].is_null(), "{document}");
    }
}

#[test]
fn a_missing_or_dead_database_is_told_as_what_it_is() {
    let id = "0190f3f2-7c1e-7b6a-9c55-3f2b6c1d9a10";
    let missing = run("session-status", &["get", "--session-id", id]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    let text = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(text.contains("CARREL_DATABASE_URL"), "{text}");

    let dead = "postgres://postgres@127.0.0.1:1/carrel";
    let dead = run(
        "session-status",
        &["get", "--session-id", id, "--database-url", dead],
    );
    assert_eq!(dead.status.code(), Some(5), "{dead:?}");
    assert!(dead.stdout.is_empty());
    document("session-status", &dead.stderr);
}
