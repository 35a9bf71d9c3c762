//! Alerts and dashboards name what exists: metrics, commands, and a section on what to do.

mod promql;

use std::collections::BTreeSet;
use std::process::Command;

use system_tests::settings::{binary, checkout};

use promql::{Known, Table};

fn text(path: &str) -> String {
    let path = checkout(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of all processes, from the table that makes them.
fn metrics() -> BTreeSet<String> {
    let table = text("crates/telemetry/src/metrics.rs");
    let quoted = table.split('"').skip(1).step_by(2);
    let names = quoted.filter(|word| is_metric(word));
    names.map(str::to_owned).collect()
}

/// Whether a word is a metric's name by its form.
fn is_metric(word: &str) -> bool {
    is_alias(word) || word.starts_with("carrel_") && !word.ends_with('_')
}

/// Whether a word names an alias; labels of aliases begin like them and have no unit.
fn is_alias(word: &str) -> bool {
    let has_unit = ["_total", "_seconds"].iter().any(|it| word.ends_with(it));
    word.starts_with("messaging_") && has_unit
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

/// The table that makes the metrics, by name.
fn table() -> Table {
    let text = text("crates/telemetry/src/metrics.rs");
    let rows = text.lines().filter_map(|line| {
        let (_, row) = line.strip_prefix("    ")?.split_once(": ")?;
        let (kind, rest) = row.split_once(' ')?;
        let (name, rest) = rest.strip_prefix('"')?.split_once('"')?;
        let (_, labels) = rest.split_once('[')?;
        let labels = labels.split('"').skip(1).step_by(2).map(str::to_owned);
        let known = Known {
            kind: kind.to_owned(),
            labels: labels.collect(),
        };
        Some((name.to_owned(), known))
    });
    rows.collect()
}

/// Each rule's lines, from its name on.
fn rules(alerts: &str) -> Vec<&str> {
    alerts.split("- alert: ").skip(1).collect()
}

/// A rule's expression, on one line however many it has.
fn expression(rule: &str) -> String {
    let (_, rest) = rule.split_once("expr: ").unwrap();
    let mut lines = rest.lines();
    let first = lines.next().unwrap();
    if first != ">-" {
        return first.to_owned();
    }
    let indented = |line: &&str| line.starts_with("          ");
    let lines: Vec<_> = lines.take_while(indented).map(str::trim).collect();
    lines.join(" ")
}

/// The labels that a text for people takes from what an expression gives.
fn templated<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let places = text
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"));
    let places = places.filter_map(|(place, _)| place.trim().strip_prefix(before));
    places
        .map(|place| place.split(' ').next().unwrap())
        .collect()
}

fn assert_sound(of: &str, expression: &str, templated: &[&str]) {
    let table = table();
    let faults = promql::faults(expression, &table);
    assert!(faults.is_empty(), "{of}: {expression}: {faults:?}");
    let out = promql::labels_out(expression, &table);
    for label in templated {
        assert!(
            out.iter().any(|it| it == label),
            "{of}: no {label} comes out of {expression}"
        );
    }
}

#[test]
fn every_expression_of_an_alert_names_metrics_and_labels_that_exist() {
    assert_eq!(table().len(), metrics().len());
    let alerts = text("deploy/monitoring/alerts.yaml");
    let rules = rules(&alerts);
    assert!(rules.len() > 30, "{}", rules.len());
    for rule in rules {
        let name = rule.lines().next().unwrap();
        let [summary] = values(rule, "summary")[..] else {
            panic!("{name} has no summary")
        };
        assert_sound(name, &expression(rule), &templated(summary, "$labels."));
    }
}

#[test]
fn every_expression_of_a_panel_names_metrics_and_labels_that_exist() {
    let dashboard = text("deploy/monitoring/dashboard.json");
    let document: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut seen = 0;
    for panel in document["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let words = ["expr", "legendFormat"].map(|key| target[key].as_str().unwrap());
            assert_sound(
                &panel["title"].to_string(),
                words[0],
                &templated(words[1], ""),
            );
            seen += 1;
        }
    }
    for mark in document["annotations"]["list"].as_array().unwrap() {
        let words = ["expr", "titleFormat"].map(|key| mark[key].as_str().unwrap());
        assert_sound(
            &mark["name"].to_string(),
            words[0],
            &templated(words[1], ""),
        );
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn the_dashboard_has_its_rows_and_no_panel_covers_another() {
    let dashboard = text("deploy/monitoring/dashboard.json");
    let document: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = document["panels"].as_array().unwrap();
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(
        rows,
        [
            "Objectives",
            "Flow",
            "Latency",
            "Failure",
            "Fleet",
            "Sessions and terminals",
            "Database",
            "Schedules"
        ]
    );
    let place = |panel: &serde_json::Value, key: &str| panel["gridPos"][key].as_i64().unwrap();
    for (number, panel) in panels.iter().enumerate() {
        for other in &panels[number + 1..] {
            assert_ne!(panel["id"], other["id"]);
            let is_apart = [("x", "w"), ("y", "h")].iter().any(|(at, size)| {
                let [one, two] = [panel, other].map(|it| (place(it, at), place(it, size)));
                one.0 + one.1 <= two.0 || two.0 + two.1 <= one.0
            });
            assert!(is_apart, "{} covers {}", panel["title"], other["title"]);
        }
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
            is_metric(name).then_some((variant, name))
        })
        .collect();
    assert_eq!(entries.len(), metrics().len());
    let emitted = emitted_by_processes();
    for (variant, name) in &entries {
        let is_emitted = emitted.contains(*variant) || emitted.contains(*name);
        assert!(is_emitted, "nobody emits {name}");
    }
    let literals = emitted.iter().filter(|name| is_metric(name));
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
    // An alias tells what the panel of its original shows.
    let missing: Vec<_> = metrics()
        .into_iter()
        .filter(|it| !is_alias(it) && !shown.contains(it))
        .collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[test]
fn every_alias_says_which_metric_of_its_kind_it_tells_once_more() {
    let known = table();
    let text = text("crates/telemetry/src/metrics.rs");
    let aliases: Vec<_> = known.keys().filter(|name| is_alias(name)).collect();
    assert!(aliases.len() >= 3, "{aliases:?}");
    for alias in aliases {
        let (_, row) = text.split_once(&format!("\"{alias}\"")).unwrap();
        let help = row.lines().nth(1).unwrap().trim();
        let original = help.strip_prefix("\"Alias of `").expect(help);
        let (original, _) = original.split_once('`').expect(help);
        let original = known.get(original).expect(help);
        assert_eq!(original.kind, known[alias].kind, "{alias}");
    }
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
