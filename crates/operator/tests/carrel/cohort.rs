//! One command for a whole exam: shown first, confirmed, done, told, and gone on with.

mod stopped;

use serde_json::json;
use session_lifecycle::{extensions, load_session};
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::{jobs, running};
use crate::terminal::asked;

const EXAM: &str = "linux-fundamentals";
const NOBODY: &str = "01982f6e-0000-7000-8000-000000000001";
const AUTHOR: [&str; 4] = ["--reason", "INC-7", "--as", "dana"];

fn extend<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let verb = ["sessions", "extend", "--exam", EXAM, "--by", "15m"];
    [&verb[..], &AUTHOR, more].concat()
}

fn terminate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let verb = ["sessions", "terminate", "--exam", EXAM];
    [&verb[..], &AUTHOR, more].concat()
}

async fn extended_minutes(pool: &PgPool, id: &str) -> i64 {
    let mut conn = pool.acquire().await.unwrap();
    let id = id.parse().unwrap();
    let rows = extensions(&mut conn, id).await.unwrap();
    let session = load_session(&mut conn, id).await.unwrap().unwrap();
    let last = rows.last().map(|row| row.new_end);
    assert!(last.is_none() || last == session.ends_at);
    let seconds: i64 = rows.iter().map(|row| i64::from(row.by_seconds)).sum();
    seconds / 60
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_is_extended_by_who_names_how_many_sessions_it_has(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let made = [running(&carrel, "u-1").await, running(&carrel, "u-2").await];
    let early = carrel.session("u-3").await;

    let shown = carrel.data(&extend(&["--dry-run"])).await;
    assert_eq!(
        (&shown["matched"], &shown["granted"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(shown["dry_run"], true);
    let named: Vec<_> = shown["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(named[0]["session_id"], early.as_str());
    assert_eq!(named[0]["code"], "session.no_deadline_yet");
    assert_eq!(
        (&named[2]["user_id"], &named[2]["outcome"]),
        (&json!("u-1"), &json!("granted"))
    );

    let unconfirmed = carrel.run(&extend(&[])).await;
    assert_eq!(unconfirmed.exit, 6);
    assert_eq!(
        unconfirmed.error["message"],
        "nobody agreed to extend 3 live sessions of linux-fundamentals +15m \
         (2 in full, 1 refused: session.no_deadline_yet)"
    );
    assert_eq!(
        unconfirmed.error["next"],
        "--confirm 3, or --dry-run to see whom"
    );
    let wrong = carrel.run(&extend(&["--confirm", "2"])).await;
    assert_eq!((wrong.exit, &wrong.error["field"]), (4, &json!("confirm")));
    assert_eq!(wrong.error["message"], "3 live sessions match, and not 2");
    assert_eq!(
        extended_minutes(&pool, &made[0]).await,
        0,
        "nothing was changed so far"
    );

    let done = carrel.run(&extend(&["--confirm", "3"])).await;
    assert_eq!(done.exit, 7, "one has no deadline: {done:?}");
    assert_eq!(done.data["granted"], 2);
    assert_eq!(
        done.data["refused"],
        json!({ "session.no_deadline_yet": 1 })
    );
    let key = done.data["key"].as_str().unwrap();
    let again = carrel.run(&extend(&["--confirm", "3", "--key", key])).await;
    assert_eq!(
        (&again.data["granted"], &again.data["already_granted"]),
        (&json!(0), &json!(2))
    );
    for id in &made {
        assert_eq!(extended_minutes(&pool, id).await, 15);
    }
    let another = carrel
        .run(&extend(&["--confirm", "3", "--key", "k-2"]))
        .await;
    assert_eq!(another.data["granted"], 2);
    assert_eq!(extended_minutes(&pool, &made[1]).await, 30);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_is_ended_by_who_names_how_many_sessions_it_has(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    running(&carrel, "u-1").await;
    running(&carrel, "u-2").await;
    let before = jobs(&pool).await;
    let shown = carrel.data(&terminate(&["--dry-run"])).await;
    assert_eq!(
        (&shown["matched"], &shown["requested"]),
        (&json!(2), &json!(2))
    );
    let unconfirmed = carrel.run(&terminate(&[])).await;
    assert_eq!(
        (unconfirmed.exit, &unconfirmed.error["message"]),
        (
            6,
            &json!("nobody agreed to end 2 live sessions of linux-fundamentals")
        )
    );
    assert_eq!(carrel.run(&terminate(&["--confirm", "3"])).await.exit, 4);
    assert_eq!(carrel.run(&terminate(&["--confirm", NOBODY])).await.exit, 2);
    assert_eq!(jobs(&pool).await, before);

    let done = carrel.data(&terminate(&["--confirm", "2"])).await;
    assert_eq!((&done["requested"], &done["left"]), (&json!(2), &json!(0)));
    assert_eq!(jobs(&pool).await, before + 2);
    let again = carrel.data(&terminate(&["--confirm", "2"])).await;
    assert_eq!(again["already_requested"], 2);
    assert_eq!(jobs(&pool).await, before + 2);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_wrong_call_says_what_was_meant_and_an_empty_exam_is_no_failure(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let verb = ["sessions", "extend", "--by", "15m"];
    let none = carrel.run(&[&verb[..], &AUTHOR].concat()).await;
    assert_eq!((none.exit, &none.error["field"]), (2, &json!("session_id")));
    carrel.apply_exam().await;
    let slip = [&verb[..], &AUTHOR, &["--exam", "linux-fundmentals"]].concat();
    let slip = carrel.run(&slip).await;
    assert_eq!((slip.exit, &slip.error["field"]), (3, &json!("exam")));
    let meant = slip.error["next"].as_str().unwrap();
    assert!(
        meant.contains("did you mean \"linux-fundamentals\""),
        "{meant}"
    );
    let version = carrel.run(&terminate(&["--exam-version", "7"])).await;
    assert_eq!(
        (version.exit, &version.error["field"]),
        (3, &json!("exam-version"))
    );
    let long = "k".repeat(219);
    let long = carrel.run(&extend(&["--key", &long])).await;
    assert_eq!(
        (long.exit, &long.error["field"]),
        (2, &json!("idempotency-key"))
    );

    for call in [extend(&[]), extend(&["--confirm", "0"]), terminate(&[])] {
        assert_eq!(carrel.data(&call).await["matched"], 0);
    }
    running(&carrel, "u-1").await;
    carrel
        .data(&extend(&["--confirm", "1", "--key", "k"]))
        .await;
    let reused = [
        "sessions", "extend", "--exam", EXAM, "--by", "20m", "--key", "k",
    ];
    let reused = carrel.run(&[&reused[..], &AUTHOR].concat()).await;
    assert_eq!(
        (reused.exit, &reused.error["code"]),
        (4, &json!("idempotency.key_reused"))
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn at_a_terminal_more_time_is_agreed_to_by_a_word_and_the_end_by_its_number(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    running(&carrel, "u-2").await;
    let more = extend(&["-o", "text", "--key", "k"]);
    let (shown, refused) = asked(&carrel, &more, "n\n").await;
    assert_eq!(refused.status.code(), Some(6), "{shown}");
    let whole = "Would extend 2 live sessions of linux-fundamentals +15m, such as:";
    assert!(
        shown.contains(whole) && shown.contains("Continue? [y/N]"),
        "{shown}"
    );
    assert_eq!(extended_minutes(&pool, &id).await, 0);
    let (shown, done) = asked(&carrel, &more, "y\n").await;
    assert_eq!(done.status.code(), Some(0), "{shown}");
    assert!(shown.contains("] 2 of 2, key k"), "the bar: {shown}");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(
        told,
        "extended 2 live sessions of linux-fundamentals +15m\nkey: k\n"
    );

    let end = terminate(&["-o", "text"]);
    let before = jobs(&pool).await;
    for answer in ["y\n", "3\n"] {
        let (shown, refused) = asked(&carrel, &end, answer).await;
        assert_eq!(refused.status.code(), Some(6), "{shown}");
        assert!(shown.contains("Type 2 to continue:"), "{shown}");
    }
    assert_eq!(jobs(&pool).await, before);
    let (shown, done) = asked(&carrel, &end, "2\n").await;
    assert_eq!(done.status.code(), Some(0), "{shown}");
    assert_eq!(jobs(&pool).await, before + 2);
}
