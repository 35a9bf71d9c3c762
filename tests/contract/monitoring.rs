//! Alerts and dashboards name what exists: metrics, commands, and a section on what to do.

use std::collections::BTreeSet;
use std::process::Command;

use system_tests::settings::{binary, checkout};

fn text(path: &str) -> String {
    let path = checkout(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of all processes, from the table that makes them.
fn metrics() -> BTreeSet<String> {
    let table = text("crates/telemetry/src/metrics.rs");
    let quoted = table.split('"').skip(1).step_by(2);
    let names = quoted.filter(|word| word.starts_with("carrel_") && !word.ends_with('_'));
    names.map(str::to_owned).collect()
}

/// Every name in a text that begins as our metrics do, without what Prometheus adds to histograms.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let ours = words.filter(|word| word.starts_with("carrel_"));
    ours.map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

/// The value of each line that has this key.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    values.map(str::trim).collect()
}

#[test]
fn every_metric_that_an_alert_or_a_panel_names_exists() {
    let metrics = metrics();
    assert!(metrics.contains("carrel_jobs_claimed_total"), "{metrics:?}");
    for path in ["alerts.yaml", "dashboard.json"] {
        let named = named(&text(&format!("deploy/monitoring/{path}")));
        assert!(named.len() > 5, "{path} was read: {named:?}");
        let unknown: Vec<_> = named.difference(&metrics).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
}

/// What a process says it counts, by the literal or by the name in the table.
fn emitted(source: &str, into: &mut BTreeSet<String>) {
    for macro_name in ["counter!(", "gauge!(", "histogram!("] {
        for call in source.split(macro_name).skip(1) {
            let literal = call.trim_start().strip_prefix('"');
            into.extend(literal.and_then(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    for variant in source.split("Metric::").skip(1) {
        let end = variant.find(|it: char| !it.is_ascii_alphanumeric());
        into.insert(variant[..end.unwrap_or(variant.len())].to_owned());
    }
}

/// Every source file of the processes and their libraries, but for the table.
fn emitted_by_processes() -> BTreeSet<String> {
    let mut folders = vec![
        checkout("crates"),
        checkout("api/src"),
        checkout("worker/src"),
    ];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_of_table = path.ends_with("telemetry/src") || path.ends_with("tests");
            if path.is_dir() && !is_of_table {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                emitted(&std::fs::read_to_string(&path).unwrap(), &mut names);
            }
        }
    }
    names
}

#[test]
fn the_table_of_metrics_holds_what_processes_emit_and_nothing_else() {
    let table = text("crates/telemetry/src/metrics.rs");
    let entries: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| {
            let (variant, rest) = line.strip_prefix("    ")?.split_once(": ")?;
            let name = rest.split('"').nth(1)?;
            name.starts_with("carrel_").then_some((variant, name))
        })
        .collect();
    assert_eq!(entries.len(), metrics().len());
    let emitted = emitted_by_processes();
    for (variant, name) in &entries {
        let is_emitted = emitted.contains(*variant) || emitted.contains(*name);
        assert!(is_emitted, "nobody emits {name}");
    }
    let literals = emitted.iter().filter(|name| name.starts_with("carrel_"));
    let unknown: Vec<_> = literals
        .filter(|name| entries.iter().all(|(_, known)| known != name))
        .collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
}

#[test]
fn the_dashboard_shows_every_metric_and_is_one_document() {
    let dashboard = text("deploy/monitoring/dashboard.json");
    let document: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(document["panels"].as_array().unwrap().len() > 10);
    let shown = named(&dashboard);
    let missing: Vec<_> = metrics()
        .into_iter()
        .filter(|it| !shown.contains(it))
        .collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[test]
fn every_alert_has_a_section_on_what_to_do_and_a_first_command_that_is_there() {
    let alerts = text("deploy/monitoring/alerts.yaml");
    let page = text("deploy/monitoring/README.md");
    let names = values(&alerts, "alert");
    assert!(names.len() > 5, "{names:?}");
    for key in ["expr", "labels", "summary", "first", "runbook"] {
        assert_eq!(values(&alerts, key).len(), names.len(), "each has {key}");
    }
    let runbooks = values(&alerts, "runbook");
    for (name, runbook) in names.iter().zip(runbooks) {
        assert!(
            page.contains(&format!("\n## {name}\n")),
            "{name} has no section"
        );
        assert_eq!(runbook, format!("README.md#{}", name.to_lowercase()));
    }
    for command in values(&alerts, "first") {
        let words = command.strip_prefix("carrel ").unwrap();
        let asked = Command::new(binary("carrel"))
            .args(words.split(' '))
            .arg("--help")
            .output()
            .unwrap();
        assert!(asked.status.success(), "{command}: {asked:?}");
    }
}
