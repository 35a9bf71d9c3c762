//! Verbs on one thing that many notice: at a terminal they ask first.

use std::os::unix::process::ExitStatusExt as _;

use sqlx::PgPool;

use crate::put;
use crate::terminal::asked;

const INTERRUPT: &str = "\u{3}";
const END_OF_INPUT: &str = "\u{4}";
const SIGINT: i32 = 2;

/// A worker that lives for as long as the test takes, of an old version.
async fn put_worker(pool: &PgPool) {
    let old = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at)
               VALUES (gen_random_uuid(), 'w-1', 'h', '1.8.2', '{test}', '{ping}', 1,
                       now() + interval '1 hour')";
    sqlx::raw_sql(old).execute(pool).await.unwrap();
}

async fn done(pool: &PgPool) -> Vec<String> {
    let verbs = sqlx::query_scalar!("SELECT verb FROM job_actions ORDER BY id");
    verbs.fetch_all(pool).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn at_a_terminal_nothing_happens_unless_somebody_agrees(pool: PgPool) {
    let job = put(&pool).await;
    put_worker(&pool).await;
    let who = ["--as", "dana", "-o", "text"];
    let pause = [&["queues", "pause", "test"][..], &who].concat();
    let cancel = [&["cancel", job.as_str()][..], &who].concat();
    let drain = [&["workers", "drain", "--version", "<1.9"][..], &who].concat();
    let what_cancel = format!("Would cancel job {job}.");
    let verbs = [
        (pause, "Would pause queue test.", "queue.pause"),
        (cancel, what_cancel.as_str(), "job.cancel"),
        (drain, "Would drain 1 worker.", "worker.drain"),
    ];
    let mut expected = Vec::new();
    for (words, question, verb) in &verbs {
        for answer in ["n\n", "\n", "yes, please\n", END_OF_INPUT] {
            let (shown, refused) = asked(&pool, words, answer).await;
            assert_eq!(refused.status.code(), Some(6), "{verb} {answer:?}: {shown}");
            assert!(shown.contains(question), "{verb} {answer:?}: {shown}");
            assert!(shown.contains("nobody agreed to"), "{shown}");
            assert!(refused.stdout.is_empty(), "{refused:?}");
        }
        let (shown, interrupted) = asked(&pool, words, INTERRUPT).await;
        assert_eq!(interrupted.status.signal(), Some(SIGINT), "{verb}: {shown}");
        assert_eq!(done(&pool).await, expected, "{verb}: nobody agreed");

        let (shown, agreed) = asked(&pool, words, "y\n").await;
        assert_eq!(agreed.status.code(), Some(0), "{verb}: {shown}");
        assert!(!agreed.stdout.is_empty(), "{verb}: {shown}");
        expected.push((*verb).to_owned());
        assert_eq!(done(&pool).await, expected);
    }
}
