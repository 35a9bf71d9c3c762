//! Processes → orchestrator → policy and views → owners → pure, and never back up or sideways.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;
use system_tests::settings::checkout;

const PURE: &[&str] = &["session-identity", "failure-classification"];
const OWNERS: &[&str] = &[
    "session-lifecycle",
    "execution-environment",
    "environment-access",
    "job-queue",
    "session-recording",
];
const VIEWS: &[&str] = &["session-status", "cleanup-ttl"];
const USE_CASES: &[&str] = &["orchestrator"];
const PROCESSES: &[&str] = &[
    "carrel-api",
    "carrel-worker",
    "terminal-gateway",
    "carrel-operator",
];
/// What processes stand on; libraries take only the command line, and only as an option.
const FOUNDATIONS: &[&str] = &["command-line", "telemetry", "migrations"];
/// A process whose library half is the frames that two others speak with it.
const KEEPER: &str = "carrel-keeper";
const SPEAKS_FRAMES: [&str; 2] = ["execution-environment", "terminal-gateway"];
/// They look at everything from outside, and nothing may look at them.
const OUTSIDE: [&str; 2] = ["system-tests", "xtask"];

/// Which crates may name a library, by the beginning of the library's name.
const MAY_NAME: [(&str, &[&str]); 5] = [
    ("bollard", &["execution-environment"]),
    ("kube", &["execution-environment"]),
    ("k8s-openapi", &["execution-environment"]),
    ("apalis", &["job-queue", "orchestrator", "carrel-worker"]),
    ("actix-", &["carrel-api", "terminal-gateway"]),
];

/// What must be nowhere in the tree that a process links, by the beginning of its name.
const NEVER_LINKED: [(&str, &[&str]); 4] = [
    ("carrel-api", &["bollard", "kube", "k8s-openapi"]),
    ("carrel-worker", &["actix-"]),
    ("carrel-operator", &["actix-"]),
    (KEEPER, &["actix-", "bollard", "sqlx", "reqwest"]),
];

/// One normal dependency that one crate of the workspace names.
struct Edge {
    from: String,
    to: String,
    is_ours: bool,
    is_optional: bool,
    /// Its default features, or the one called `process`.
    takes_the_process: bool,
}

#[test]
fn every_crate_of_the_workspace_has_its_place_in_the_table() {
    let crates = crate_names();
    for name in &crates {
        assert!(
            OUTSIDE.contains(&name.as_str()) || may_need(name).is_some(),
            "{name} has no layer: put it into one of the lists at the top of this file"
        );
    }
    let layers = [PURE, OWNERS, VIEWS, USE_CASES, PROCESSES, FOUNDATIONS].concat();
    for listed in layers.into_iter().chain([KEEPER]).chain(OUTSIDE) {
        assert!(
            crates.iter().any(|name| name == listed),
            "{listed} is no crate of the workspace: take its old name out of this file's lists"
        );
    }
}

#[test]
fn a_crate_needs_only_what_lies_below_it() {
    for edge in edges().iter().filter(|edge| edge.is_ours) {
        let allowed = may_need(&edge.from).unwrap_or_default();
        assert!(
            allowed.contains(&edge.to.as_str()),
            "{0} must not depend on {1}: take {1} out of its [dependencies] and join the two in a \
             layer above both (it may need: {2})",
            edge.from,
            edge.to,
            allowed.join(", ")
        );
    }
}

#[test]
fn libraries_take_the_command_line_only_as_an_option() {
    let libraries = [PURE, OWNERS, VIEWS, USE_CASES].concat();
    for edge in edges().iter().filter(|edge| edge.to == "command-line") {
        assert!(
            !libraries.contains(&edge.from.as_str()) || edge.is_optional,
            "{} always links command-line: make it `optional = true` behind the feature `cli`",
            edge.from
        );
    }
}

#[test]
fn the_keepers_frames_are_shared_without_its_process() {
    for edge in edges().iter().filter(|edge| edge.to == KEEPER) {
        assert!(
            !edge.takes_the_process,
            "{} links the keeper's process: take {KEEPER} with `default-features = false` and \
             without the feature `process`",
            edge.from
        );
    }
}

#[test]
fn engines_queues_and_web_servers_are_named_only_where_they_belong() {
    let edges = edges();
    for (library, places) in MAY_NAME {
        for edge in edges.iter().filter(|edge| edge.to.starts_with(library)) {
            assert!(
                places.contains(&edge.from.as_str()),
                "{} names {}: reach it through {}, or move the code there",
                edge.from,
                edge.to,
                places.join(" or ")
            );
            assert!(
                places != ["execution-environment"] || edge.is_optional,
                "{} always links {}: make it `optional = true` behind its runtime's feature",
                edge.from,
                edge.to
            );
        }
    }
}

#[test]
fn no_process_links_what_it_must_not_hold() {
    for (process, never) in NEVER_LINKED {
        let tree = ["tree", "-p", process, "-e", "normal", "--prefix", "none"];
        let tree = cargo(&tree);
        assert!(
            tree.starts_with(process) && tree.lines().count() > 3,
            "this is not the tree of {process}; mend the arguments of `cargo tree` here:\n{tree}"
        );
        for line in tree.lines() {
            assert!(
                !never.iter().any(|library| line.starts_with(library)),
                "{process} links {line}: find by whom with `cargo tree -p {process} -e \
                 normal,features -i <name>` and turn that dependency or its feature off"
            );
        }
    }
}

/// The crates of the workspace that a crate may depend on; nothing for one without a layer.
fn may_need(name: &str) -> Option<Vec<&'static str>> {
    let below: &[&[&'static str]] = match name {
        _ if PURE.contains(&name) => &[&["command-line"]],
        _ if OWNERS.contains(&name) => &[PURE, &["command-line"]],
        _ if VIEWS.contains(&name) => &[OWNERS, PURE, &["command-line"]],
        _ if USE_CASES.contains(&name) => &[VIEWS, OWNERS, PURE, &["command-line"]],
        _ if PROCESSES.contains(&name) => &[USE_CASES, VIEWS, OWNERS, PURE, FOUNDATIONS],
        _ if name == KEEPER || FOUNDATIONS.contains(&name) => &[],
        _ => return None,
    };
    let mut below = below.concat();
    if SPEAKS_FRAMES.contains(&name) {
        below.push(KEEPER);
    }
    Some(below)
}

fn crate_names() -> Vec<String> {
    packages()
        .iter()
        .map(|package| text(&package["name"]))
        .collect()
}

/// What the crates of the product name, outside of their own tests and build scripts.
fn edges() -> Vec<Edge> {
    let mut edges = Vec::new();
    for package in packages() {
        let from = text(&package["name"]);
        if OUTSIDE.contains(&from.as_str()) {
            continue;
        }
        let needs = list(&package["dependencies"]).iter();
        edges.extend(
            needs
                .filter(|need| need["kind"].is_null())
                .map(|need| edge(&from, need)),
        );
    }
    edges
}

fn edge(from: &str, need: &Value) -> Edge {
    let features = list(&need["features"]);
    Edge {
        from: from.to_owned(),
        to: text(&need["name"]),
        is_ours: need["path"].is_string(),
        is_optional: need["optional"] == true,
        takes_the_process: need["uses_default_features"] == true
            || features.iter().any(|feature| feature == "process"),
    }
}

fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("`cargo metadata` prints JSON");
    list(&metadata["packages"]).to_vec()
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .expect("`cargo metadata` has a list here in format version 1")
}

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.expect("`cargo metadata` has a name here in format version 1")
        .to_owned()
}

/// What cargo prints about this checkout; it reads the lock file and no registry.
fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments).args(["--locked", "--offline"]);
    let output = command
        .current_dir(checkout("."))
        .output()
        .expect("cargo starts: run this suite with `cargo xtask test`");
    assert!(
        output.status.success(),
        "`cargo {}` failed; bring Cargo.lock up to date with `cargo check`: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
