//! Nobody waits for ever for a database that is held up.

use std::process::Output;
use std::time::Duration;

use command_line::{CliError, read_within};
use serde_json::Value;
use sqlx::PgPool;

use crate::{put, run};

fn complaint(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stderr).expect("one JSON error")
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_read_that_takes_too_long_is_stopped_and_says_which_filters_are_fast(pool: PgPool) {
    put(&pool).await;
    let mut holder = pool.begin().await.unwrap();
    let held = "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(held).execute(&mut *holder).await.unwrap();
    let verbs: [&[&str]; 4] = [&["list"], &["count"], &["export"], &["dlq", "list"]];
    let [listed, counted, exported, grouped] = verbs.map(|words| run(&pool, words));
    let (listed, counted, exported, grouped) = tokio::join!(listed, counted, exported, grouped);
    for output in [listed, counted, exported, grouped] {
        let error = complaint(&output);
        assert_eq!(error["code"], CliError::TOO_SLOW, "{error}");
        let next = error["next"].as_str().unwrap();
        assert!(next.contains("--session"), "{next}");
    }
    holder.rollback().await.unwrap();
    assert_eq!(run(&pool, &["list"]).await.status.code(), Some(0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_write_gives_up_on_what_somebody_else_holds_and_changes_nothing(pool: PgPool) {
    let id = put(&pool).await;
    let mut holder = pool.begin().await.unwrap();
    let held = "SELECT id FROM jobs FOR UPDATE";
    sqlx::raw_sql(held).execute(&mut *holder).await.unwrap();
    let cancel = ["cancel", &id, "--as", "dana", "--yes"];
    let error = complaint(&run(&pool, &cancel).await);
    assert_eq!(error["code"], "database.locked", "{error}");
    let done = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM job_actions"#);
    assert_eq!(done.fetch_one(&pool).await.unwrap(), 0);
    holder.rollback().await.unwrap();
    assert_eq!(run(&pool, &cancel).await.status.code(), Some(0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_bound_ends_with_its_transaction_so_that_a_pooler_hands_it_to_nobody(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let bound = async |it: &mut sqlx::PgConnection| {
        let bound = sqlx::query_scalar!(r#"SELECT current_setting('statement_timeout') AS "it!""#);
        bound.fetch_one(it).await
    };
    let before = bound(&mut connection).await.unwrap();
    let lasts = Duration::from_secs(7);
    let within: Result<String, sqlx::Error> = read_within(&mut connection, lasts, bound).await;
    assert_eq!(within.unwrap(), "7s");
    assert_eq!(bound(&mut connection).await.unwrap(), before);
}
