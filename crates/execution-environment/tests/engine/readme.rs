//! What the README shows, run as it stands there.

use execution_environment::ExamDefinition;
use serde_json::Value;
use sqlx::PgPool;

use crate::commands::{call_whole, engine};
use crate::fixtures::session;
use crate::support::bench;

const README: &str = include_str!("../../README.md");

/// What stands between two fences.
fn block(fence: &str) -> &'static str {
    let (_, rest) = README.split_once(fence).expect("the README has it");
    rest.split_once("```").expect("it ends").0
}

/// The words of a command line, those in quotes together.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// Whether all that is shown was printed; what is not shown may be anything.
fn holds(shown: &Value, printed: &Value) -> bool {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => shown
            .iter()
            .all(|(key, value)| printed.get(key).is_some_and(|it| holds(value, it))),
        _ => shown == printed,
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_line_by_hand_does_what_stands_below_it(pool: PgPool) {
    let mut bench = bench();
    let mut conn = pool.acquire().await.expect("connected");
    let spec = session(&mut conn, bench.exam.clone()).await;
    drop(conn);
    // The command makes it for the database's installation, so that is what is cleared.
    bench.install_id = spec.install_id;
    let mut ran = Vec::new();
    for shown in block("```text by hand\n")
        .split("$ execution-environment ")
        .skip(1)
    {
        let (line, below) = shown.split_once('\n').expect("something stands below");
        let line = line.replace("$SESSION", &spec.session_id.to_string());
        let words = words(&line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let ended = call_whole(&pool, &words, &engine(), "").await;
        let is_shown = if let Some(exit) = below.trim().strip_prefix("? ") {
            ended.exit == exit.parse().ok()
        } else {
            let below: Value = serde_json::from_str(below).expect("a part of a document");
            ended.exit == Some(0) && holds(&below, &ended.data)
        };
        ran.push((is_shown, line, below, ended));
    }
    bench.clear().await;
    assert_eq!(ran.len(), 9, "every line was read");
    for (is_shown, line, below, ended) in ran {
        assert!(
            is_shown,
            "{line} does not end with {below} but with {ended:?}"
        );
    }
}

#[test]
fn the_exam_that_is_shown_is_sound() {
    let exam = ExamDefinition::parse(block("```json\n")).expect("it is sound");
    assert_eq!(exam.name, "linux-fundamentals");
}
