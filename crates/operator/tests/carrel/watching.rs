//! The status as it changes.

use serde_json::Value;
use sqlx::PgPool;

use crate::run::{Carrel, Lines};
use crate::sessions::{NOBODY, step};

const STATUS: &str = "session-status/get.v1";

async fn end(carrel: &Carrel, id: &str) {
    let words = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        id,
        "--to",
        "terminated",
    ];
    carrel
        .data(&[&words[..], &["--reason", "INC-7"]].concat())
        .await;
}

/// Watches a session that becomes ready and then is ended, however `words` name it.
async fn watched(pool: &PgPool, words: impl Fn(&str) -> Vec<String>) -> Lines {
    let carrel = Carrel::on(pool);
    carrel.apply_exam().await;
    let id = carrel.session("u-1").await;
    let words = words(&id);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    // Each state is left once it has been told of, so that none is passed over.
    let told = carrel.follow(&words, async |lines| match lines {
        1 => step(&carrel, &id, "initializing").await,
        2 => step(&carrel, &id, "ready").await,
        3 => end(&carrel, &id).await,
        _ => {}
    });
    let lines = told.await;
    assert_eq!(lines.exit, 0, "{lines:?}");
    lines
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn states(lines: &Lines) -> Vec<Value> {
    let all = lines.data(STATUS).into_iter().chain([lines.last()]);
    all.map(|status| status["state"].clone()).collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_is_watched_until_it_has_ended(pool: PgPool) {
    let lines = watched(&pool, |id| owned(&["sessions", "watch", id])).await;
    assert_eq!(
        states(&lines),
        ["created", "initializing", "ready", "terminated"]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn people_read_one_line_a_change(pool: PgPool) {
    let words = |id: &str| owned(&["status", "watch", "--session-id", id, "-o", "text"]);
    let lines = watched(&pool, words).await;
    let told: Vec<_> = lines
        .all
        .iter()
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(
        told,
        ["CREATED", "INITIALIZING", "READY", "TERMINATED"],
        "{lines:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn watching_ends_with_its_time_and_at_once_where_there_is_nothing(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let id = carrel.session("u-1").await;
    for watch in [
        &["sessions", "watch", &id][..],
        &["status", "watch", "--session-id", &id],
    ] {
        let late = carrel
            .lines(&[watch, &["--timeout", "300ms"]].concat())
            .await;
        assert_eq!((late.exit, late.all.len()), (8, 1), "{late:?}");
        assert_eq!(late.error["code"], "watch.timed_out");
    }
    for watch in [
        &["sessions", "watch", NOBODY][..],
        &["status", "watch", "--session-id", NOBODY],
    ] {
        let nobody = carrel.lines(watch).await;
        assert_eq!((nobody.exit, nobody.all.len()), (3, 0), "{nobody:?}");
    }
}
