//! Nobody waits for ever for a database that is held up.

use std::process::Output;
use std::time::Duration;

use command_line::{CliError, read_within};
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};

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

async fn hold(pool: &PgPool, lock: &'static str) -> Transaction<'static, Postgres> {
    let mut holder = pool.begin().await.unwrap();
    sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
    holder
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_looks_before_a_change_is_stopped_as_well(pool: PgPool) {
    let id = put(&pool).await;
    let holder = hold(&pool, "LOCK TABLE jobs, queues").await;
    let verbs: [&[&str]; 6] = [
        &["queues", "pause", "test", "--as", "dana", "--yes"],
        &["queues", "pause", "test", "--as", "dana", "--dry-run"],
        &["queues", "stats"],
        &["retry", "--all", "--as", "dana", "--dry-run"],
        &["show", &id],
        &["cancel", &id, "--as", "dana", "--dry-run"],
    ];
    let [pause, rehearsed, stats, retry, show, cancel] = verbs.map(|words| run(&pool, words));
    let outputs = tokio::join!(pause, rehearsed, stats, retry, show, cancel);
    for output in <[Output; 6]>::from(outputs) {
        // Who names a job whole looks for it in the change itself.
        let code = complaint(&output)["code"].clone();
        assert!(
            code == CliError::TOO_SLOW || code == "database.locked",
            "{code}"
        );
    }
    holder.rollback().await.unwrap();
    let pause = ["queues", "pause", "test", "--as", "dana", "--yes"];
    assert_eq!(run(&pool, &pause).await.status.code(), Some(0));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_rehearsal_and_a_backfill_give_up_on_what_somebody_else_holds(pool: PgPool) {
    let id = put(&pool).await;
    let made = "INSERT INTO schedules (name, every, last_tick_at)
                VALUES ('sweep', '1 hour', now() - interval '1 day')";
    sqlx::raw_sql(made).execute(&pool).await.unwrap();
    let holder = hold(&pool, "LOCK TABLE job_actions, missed_ticks").await;
    let backfill = ["schedules", "backfill", "sweep", "--from", "3h"];
    let verbs = [
        vec!["queues", "pause", "test", "--as", "dana", "--dry-run"],
        vec!["cancel", &id, "--as", "dana", "--dry-run"],
        [&backfill[..], &["--apply", "--as", "dana"]].concat(),
    ];
    for words in verbs {
        let error = complaint(&run(&pool, &words).await);
        assert_eq!(error["code"], "database.locked", "{words:?} {error}");
    }
    holder.rollback().await.unwrap();
    let done = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM job_actions"#);
    assert_eq!(done.fetch_one(&pool).await.unwrap(), 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_change_of_a_queue_has_ended_before_every_queue_is_counted(pool: PgPool) {
    put(&pool).await;
    // After its last word a change finds no table any more, until it has ended.
    let blind = "CREATE FUNCTION go_blind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     PERFORM set_config('search_path', 'pg_catalog', true);
                     RETURN NULL;
                 END $$;
                 CREATE TRIGGER blind AFTER INSERT ON job_actions EXECUTE FUNCTION go_blind()";
    sqlx::raw_sql(blind).execute(&pool).await.unwrap();
    let verbs: [&[&str]; 4] = [
        &["queues", "pause", "test", "--as", "dana", "--yes"],
        &["queues", "resume", "test", "--as", "dana"],
        &[
            "queues",
            "set",
            "test",
            "--concurrency",
            "3",
            "--as",
            "dana",
        ],
        &[
            "queues",
            "set",
            "--all",
            "--concurrency",
            "3",
            "--as",
            "dana",
        ],
    ];
    for words in verbs {
        let output = run(&pool, words).await;
        assert_eq!(output.status.code(), Some(0), "{words:?} {output:?}");
    }
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
