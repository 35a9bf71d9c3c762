//! Each library's binary knows the verbs it promises and tells a wrong command as one JSON error.

use std::process::{Command, Output};

use serde_json::Value;
use system_tests::settings::binary;

/// Each library's binary and the verbs of its contract.
const CONTRACT: [(&str, &[&str]); 10] = [
    ("session-identity", &["validate"]),
    (
        "session-lifecycle",
        &["transition", "show", "history", "table"],
    ),
    (
        "execution-environment",
        &["create", "status", "verify", "logs", "destroy"],
    ),
    ("environment-access", &["authorize", "explain", "deny"]),
    ("session-recording", &["list", "verify", "export", "keygen"]),
    ("session-status", &["get"]),
    ("failure-classification", &["classify", "codes"]),
    ("cleanup-ttl", &["check", "sweep", "plan"]),
    ("job-queue", &["list", "show", "retry", "cancel"]),
    ("orchestrator", &["sessions"]),
];
const USAGE: i32 = 2;

#[test]
fn every_library_and_every_verb_explains_itself() {
    for (library, verbs) in CONTRACT {
        explains_itself(library, &["--help"]);
        for verb in verbs {
            explains_itself(library, &[verb, "--help"]);
        }
    }
}

#[test]
fn a_flag_that_does_not_exist_is_named_in_one_json_error() {
    for (library, verbs) in CONTRACT {
        for verb in verbs {
            let error = usage_error(library, &[verb, "--no-such-flag"]);
            assert_eq!(
                error["field"], "no-such-flag",
                "`{library} {verb} --no-such-flag` must name the flag in `field`, without dashes: \
                 mend how command-line turns clap's errors into ours"
            );
        }
    }
}

#[test]
fn a_verb_that_does_not_exist_is_one_json_error() {
    for (library, _) in CONTRACT {
        let error = usage_error(library, &["no-such-verb"]);
        assert!(
            error.get("field").is_some_and(Value::is_null),
            "`{library} no-such-verb` is no flag's fault: keep `field` and leave it null in {error}"
        );
    }
}

#[test]
fn no_verb_at_all_is_one_json_error() {
    for (library, _) in CONTRACT {
        usage_error(library, &[]);
    }
}

fn explains_itself(library: &str, arguments: &[&str]) {
    let output = run(library, arguments);
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && help.contains("Usage:") && output.stderr.is_empty(),
        "`{library} {}` must print its help on stdout and exit 0: give the library's command tree \
         this verb, or take it out of the contract in its README and here: {output:?}",
        arguments.join(" ")
    );
}

/// Runs a wrong command and returns the error that it prints.
fn usage_error(library: &str, arguments: &[&str]) -> Value {
    let output = run(library, arguments);
    let command = format!("{library} {}", arguments.join(" "));
    assert_eq!(
        output.status.code(),
        Some(USAGE),
        "`{command}` must exit {USAGE}: let command-line's entry point parse it: {output:?}"
    );
    assert!(
        output.stdout.is_empty(),
        "`{command}` did nothing, so it must print nothing on stdout: {output:?}"
    );
    let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|reason| {
        panic!("`{command}` must print exactly one JSON error on stderr ({reason}): {output:?}")
    });
    assert_eq!(
        error["code"], "usage",
        "`{command}` must carry the code of a wrong command: let command-line build the error"
    );
    error
}

/// Runs a binary as from a bare shell: no setting of the test's own reaches it.
fn run(library: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary(library));
    command.args(arguments).env_clear();
    command
        .output()
        .unwrap_or_else(|reason| panic!("{library} does not start ({reason}): build it anew"))
}
