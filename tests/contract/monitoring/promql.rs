//! As much of `PromQL` as tells whether an expression can mean anything: its words, the metrics and
//! labels that it names, and whether a counter is asked for its rate.

use std::collections::BTreeMap;
use std::ops::Range;

/// How a metric's values combine, and the names of its labels.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) kind: String,
    pub(super) labels: Vec<String>,
}

pub(super) type Table = BTreeMap<String, Known>;

/// What Prometheus adds to everything that it scrapes.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// Functions, operators and modifiers that our expressions use.
const WORDS: [&str; 23] = [
    "abs",
    "and",
    "by",
    "count",
    "delta",
    "deriv",
    "histogram_quantile",
    "increase",
    "label_replace",
    "max",
    "min",
    "min_over_time",
    "offset",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
    "vector",
    "absent",
    "sum_over_time",
    "max_over_time",
];

/// A metric in an expression.
#[derive(Debug)]
struct Selector {
    at: usize,
    name: String,
    matched: Vec<String>,
    /// Whether it stands in `rate(…)` or `increase(…)`.
    is_rated: bool,
}

/// Labels after `by` or `on`, and the part of the expression that has to have them.
#[derive(Debug)]
struct Grouping {
    at: usize,
    labels: Vec<String>,
    over: Range<usize>,
}

/// A `label_replace(…)`, outside of which what stands in it has one label more.
#[derive(Debug)]
struct Relabelled {
    within: Range<usize>,
    made: String,
    from: String,
}

/// Says what is wrong with an expression; nothing if it is nothing.
pub(super) fn faults(expression: &str, table: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_balanced(expression) {
        faults.push("brackets do not match".to_owned());
        return faults;
    }
    let selectors = selectors(expression);
    for word in strange_words(expression, table) {
        faults.push(format!("{word} is no metric, function or operator"));
    }
    for selector in &selectors {
        faults.extend(faults_of(selector, table));
    }
    let relabelled = relabelled(expression);
    for call in &relabelled {
        let over = selectors.iter().filter(|it| call.within.contains(&it.at));
        let lacks = over.filter(|it| !labels_of(&it.name, table).contains(&call.from));
        faults.extend(lacks.map(|it| format!("{} has no label {}", it.name, call.from)));
    }
    for grouping in groupings(expression) {
        let over = selectors.iter().filter(|it| grouping.over.contains(&it.at));
        faults.extend(over.flat_map(|it| lacking(&grouping, it, &relabelled, table)));
    }
    faults
}

/// Says which labels of a grouping a metric does not have, nor is given on the way to it.
fn lacking(
    grouping: &Grouping,
    selector: &Selector,
    relabelled: &[Relabelled],
    table: &Table,
) -> Vec<String> {
    let is_between = |call: &&Relabelled| {
        call.within.contains(&selector.at) && !call.within.contains(&grouping.at)
    };
    let given = relabelled.iter().filter(is_between);
    let given = given.map(|call| call.made.clone());
    let has: Vec<_> = labels_of(&selector.name, table)
        .into_iter()
        .chain(given)
        .collect();
    let lacks = grouping.labels.iter().filter(|label| !has.contains(label));
    lacks
        .map(|label| format!("{} has no label {label}", selector.name))
        .collect()
}

/// The labels that what comes out of an expression can have.
pub(super) fn labels_out(expression: &str, table: &Table) -> Vec<String> {
    let grouped = groupings(expression).into_iter();
    let grouped: Vec<_> = grouped.flat_map(|grouping| grouping.labels).collect();
    if !grouped.is_empty() {
        return grouped;
    }
    let bare = selectors(expression).into_iter();
    bare.flat_map(|selector| labels_of(&selector.name, table))
        .collect()
}

fn faults_of(selector: &Selector, table: &Table) -> Vec<String> {
    let name = &selector.name;
    let Some(known) = table.get(base(name)) else {
        return vec![format!("{name} does not exist")];
    };
    let mut faults = Vec::new();
    let has = labels_of(name, table);
    let lacks = selector.matched.iter().filter(|label| !has.contains(label));
    faults.extend(lacks.map(|label| format!("{name} has no label {label}")));
    if name.ends_with("_bucket") != (known.kind == "Histogram") {
        faults.push(format!("{name} is a {}", known.kind));
    }
    if selector.is_rated == (known.kind == "Gauge") {
        faults.push(format!(
            "{name} is a {}: a rate of it says nothing, or only that does",
            known.kind
        ));
    }
    faults
}

fn base(name: &str) -> &str {
    name.strip_suffix("_bucket").unwrap_or(name)
}

fn labels_of(name: &str, table: &Table) -> Vec<String> {
    let known = table.get(base(name));
    let own = known.map_or(Vec::new(), |known| known.labels.clone());
    let bucket = name.ends_with("_bucket").then(|| "le".to_owned());
    let targets = OF_TARGETS.map(str::to_owned);
    own.into_iter().chain(bucket).chain(targets).collect()
}

fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    for letter in expression.chars() {
        match letter {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(letter) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// The words of an expression outside of braces, brackets and quotes, with where they stand.
fn words(expression: &str) -> Vec<(usize, &str)> {
    let mut outside = String::with_capacity(expression.len());
    let (mut depth, mut is_quoted) = (0_u32, false);
    for letter in expression.chars() {
        is_quoted ^= letter == '"';
        depth += u32::from(matches!(letter, '{' | '['));
        outside.push(if depth == 0 && !is_quoted {
            letter
        } else {
            ' '
        });
        depth -= u32::from(matches!(letter, '}' | ']'));
    }
    let mut words = Vec::new();
    let mut from = None;
    for (at, letter) in outside.char_indices().chain([(outside.len(), ' ')]) {
        let is_part = letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
        match from {
            None if is_part => from = Some(at),
            Some(begun) if !is_part => {
                words.push((begun, &expression[begun..at]));
                from = None;
            }
            _ => {}
        }
    }
    words
}

fn strange_words<'a>(expression: &'a str, table: &Table) -> Vec<&'a str> {
    let groups = groupings(expression);
    let is_label = |word: &str| {
        groups
            .iter()
            .any(|it| it.labels.iter().any(|label| label == word))
    };
    let is_number = |word: &str| word.starts_with(|it: char| it.is_ascii_digit());
    let words = words(expression).into_iter().map(|(_, word)| word);
    let strange = words.filter(|word| {
        !(is_number(word)
            || WORDS.contains(word)
            || word.starts_with("carrel_") && table.contains_key(base(word))
            || is_label(word))
    });
    strange.collect()
}

fn selectors(expression: &str) -> Vec<Selector> {
    let metrics = words(expression).into_iter();
    let metrics = metrics.filter(|(_, word)| word.starts_with("carrel_"));
    let selector = metrics.map(|(at, name)| {
        let matchers = expression[at + name.len()..].strip_prefix('{');
        let matchers = matchers.and_then(|rest| Some(rest.split_once('}')?.0));
        let matched = matchers
            .unwrap_or_default()
            .split(',')
            .filter_map(|matcher| {
                let (label, _) = matcher.split_once(['=', '!'])?;
                Some(label.trim().to_owned())
            });
        let before = &expression[..at];
        Selector {
            at,
            name: name.to_owned(),
            matched: matched.collect(),
            is_rated: ["rate(", "increase("].iter().any(|it| before.ends_with(it)),
        }
    });
    selector.collect()
}

fn groupings(expression: &str) -> Vec<Grouping> {
    let mut found = Vec::new();
    for (at, word) in words(expression) {
        if !matches!(word, "by" | "on") {
            continue;
        }
        let list = inside(expression, at + word.len());
        let labels = expression[list.clone()].split(',').map(str::trim);
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        let over = match word {
            "by" => inside(expression, list.end + 1),
            // Both sides of the operator, which reach as far as the parentheses around it.
            _ => around(expression, at),
        };
        found.push(Grouping {
            at,
            labels: labels.collect(),
            over,
        });
    }
    found
}

/// A call ends with the label it makes, a text, the label it reads and an expression, all quoted.
fn relabelled(expression: &str) -> Vec<Relabelled> {
    let calls = words(expression).into_iter();
    let calls = calls.filter(|(_, word)| *word == "label_replace");
    let relabelled = calls.filter_map(|(at, word)| {
        let within = inside(expression, at + word.len());
        let quoted: Vec<_> = expression[within.clone()]
            .split('"')
            .skip(1)
            .step_by(2)
            .collect();
        let [.., made, _, from, _] = quoted[..] else {
            return None;
        };
        let (made, from) = (made.to_owned(), from.to_owned());
        Some(Relabelled { within, made, from })
    });
    relabelled.collect()
}

/// What stands in the innermost parentheses around a place, or everything.
fn around(expression: &str, at: usize) -> Range<usize> {
    let mut open = Vec::new();
    for (offset, letter) in expression[..at].char_indices() {
        match letter {
            '(' => open.push(offset),
            ')' => drop(open.pop()),
            _ => {}
        }
    }
    open.last()
        .map_or(0..expression.len(), |begins| inside(expression, *begins))
}

/// What stands in the parentheses that begin here, or after a space.
fn inside(expression: &str, at: usize) -> Range<usize> {
    let Some(begins) = expression[at..].find('(').map(|found| at + found + 1) else {
        return at..at;
    };
    let mut depth = 1_u32;
    for (offset, letter) in expression[begins..].char_indices() {
        depth += u32::from(letter == '(');
        depth -= u32::from(letter == ')');
        if depth == 0 {
            return begins..begins + offset;
        }
    }
    begins..expression.len()
}

#[test]
fn each_fault_of_an_expression_is_found() {
    let known = |kind: &str, labels: &[&str]| Known {
        kind: kind.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    let table = Table::from([
        ("carrel_a_total".to_owned(), known("Counter", &["kind"])),
        ("carrel_b".to_owned(), known("Gauge", &["queue"])),
        ("carrel_c_seconds".to_owned(), known("Histogram", &["kind"])),
    ]);
    for sound in [
        r#"sum by (kind) (rate(carrel_a_total{kind=~"x|y"}[5m])) > 0.05 * 3"#,
        "max by (queue) (carrel_b) > 30 unless max by (queue) (carrel_b offset 2m) == 1",
        "histogram_quantile(0.5, sum by (le, kind) (rate(carrel_c_seconds_bucket[5m])))",
        "max(carrel_b unless on (queue) (carrel_b == 1)) > 60 and on () (sum(rate(carrel_a_total[5m])) or vector(0)) == 0",
        r#"rate(carrel_a_total[5m]) unless on (kind) label_replace(max by (queue) (carrel_b) == 1, "kind", "$1", "queue", "(.*)")"#,
    ] {
        assert_eq!(faults(sound, &table), [""; 0], "{sound}");
    }
    for unsound in [
        "carrel_d",
        "max by (kind) (carrel_b)",
        r#"carrel_b{state="x"}"#,
        "max(carrel_b",
        "maximum(carrel_b)",
        "carrel_a_total",
        "rate(carrel_b[5m])",
        "rate(carrel_c_seconds[5m])",
        "sum by (le) (rate(carrel_a_total[5m]))",
        "carrel_b unless on (kind) carrel_b",
        r#"rate(carrel_a_total[5m]) unless on (kind) label_replace(carrel_b, "king", "$1", "queue", "(.*)")"#,
        r#"rate(carrel_a_total[5m]) unless on (kind) label_replace(carrel_b, "kind", "$1", "kind", "(.*)")"#,
        r#"label_replace(max by (kind) (carrel_b), "kind", "$1", "queue", "(.*)")"#,
    ] {
        assert!(!faults(unsound, &table).is_empty(), "{unsound}");
    }
}
