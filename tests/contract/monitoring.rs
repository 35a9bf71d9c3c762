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
