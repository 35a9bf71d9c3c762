//! Dry runs on one session: the same checks, the same words, and nothing of it stays.

use serde_json::{Value, json};
use sqlx::{PgPool, Row as _};

use crate::run::{Carrel, Ended};
use crate::sessions::{NOBODY, running};

const EXAM: &str = "linux-fundamentals";
const WHY: [&str; 4] = ["--as", "dana", "--reason", "INC-7"];

/// All that the use cases could change, as text.
async fn everything(pool: &PgPool) -> String {
    let rows = "SELECT string_agg(row, E'\n' ORDER BY row) FROM (
                    SELECT s::text AS row FROM exam_sessions s UNION ALL
                    SELECT t::text FROM session_transitions t UNION ALL
                    SELECT e::text FROM session_extensions e UNION ALL
                    SELECT e::text FROM execution_environments e UNION ALL
                    SELECT k::text FROM idempotency_keys k UNION ALL
                    SELECT j::text FROM jobs j) rows";
    let all = sqlx::raw_sql(rows).fetch_one(pool).await.unwrap();
    all.get(0)
}

/// Rehearses, and gives what would be changed and how it would be answered.
async fn would_be(carrel: &Carrel, words: &[&str]) -> (Value, Value) {
    let rehearsed = carrel.data(&[words, &["--dry-run"]].concat()).await;
    assert_eq!(
        rehearsed["count"],
        rehearsed["ids"].as_array().unwrap().len(),
        "{rehearsed}"
    );
    (rehearsed["ids"].clone(), rehearsed["would_be"].clone())
}

fn assert_same_refusal(rehearsed: &Ended, done: &Ended) {
    assert_eq!(rehearsed.exit, done.exit);
    assert_eq!(rehearsed.error, done.error);
    assert!(rehearsed.exit != 0, "{rehearsed:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_request_is_rehearsed_until_its_commit(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    running(&carrel, "u-1").await;
    let before = everything(&pool).await;
    let create = |user, exam| {
        let create = ["sessions", "create", "--user-id", user, "--exam", exam];
        [&create[..], &["--as", "dana", "--idempotency-key", "k"]].concat()
    };
    let (ids, made) = would_be(&carrel, &create("u-2", EXAM)).await;
    assert_eq!((ids, &made["created"]), (json!(["u-2"]), &json!(true)));
    assert_eq!(made["session"]["state"], "created");
    assert_eq!(made["session"]["id"], Value::Null, "there is none yet");
    let (ids, found) = would_be(&carrel, &create("u-1", EXAM)).await;
    assert_eq!((ids, &found["created"]), (json!([]), &json!(false)));
    assert_eq!(found["session"]["state"], "running");
    let unknown = create("u-2", "no-such-exam");
    let rehearsed = carrel.run(&[&unknown[..], &["--dry-run"]].concat()).await;
    assert_same_refusal(&rehearsed, &carrel.run(&unknown).await);
    assert_eq!(everything(&pool).await, before);
    // The key stands for nothing yet.
    let done = carrel.data(&create("u-2", EXAM)).await;
    assert_eq!(done["created"], true);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_and_an_end_are_rehearsed_until_their_commit(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let before = everything(&pool).await;
    let extend = |id, by| {
        let extend = ["sessions", "extend", id, "--by", by, "--key", "k"];
        [&extend[..], &WHY].concat()
    };
    let (ids, moved) = would_be(&carrel, &extend(&id, "5m")).await;
    assert_eq!((ids, &moved["already"]), (json!([id]), &json!(false)));
    assert_eq!(moved["extension"]["by_seconds"], 300);
    for refused in [extend(&id, "900h"), extend(NOBODY, "5m")] {
        let rehearsed = carrel.run(&[&refused[..], &["--dry-run"]].concat()).await;
        assert_same_refusal(&rehearsed, &carrel.run(&refused).await);
    }
    let terminate = [&["sessions", "terminate", id.as_str()], &WHY[..]].concat();
    let (ids, ended) = would_be(&carrel, &terminate).await;
    assert_eq!((ids, &ended["requested"]), (json!([id]), &json!(true)));
    assert_eq!(everything(&pool).await, before);

    let done = carrel.data(&extend(&id, "5m")).await;
    assert_eq!(done["extension"]["new_end"], moved["extension"]["new_end"]);
    let (ids, again) = would_be(&carrel, &extend(&id, "5m")).await;
    assert_eq!((ids, &again["already"]), (json!([]), &json!(true)));
}
