//! Time that the platform took, told and given back.

use serde_json::json;
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::{happenings, running};

const EXAM: &str = "linux-fundamentals";
const AUTHOR: [&str; 4] = ["--reason", "INC-7", "--as", "dana"];

/// Ten minutes ago the clock began. The first process was lost after 100 s and the page was back after
/// 90 s; later the candidate was away for 60 s.
pub(crate) async fn interrupt(pool: &PgPool, id: &str) {
    sqlx::query!(
        "UPDATE exam_sessions
         SET running_at = running_at - interval '600 s', version = version + 1
         WHERE id = $1::text::uuid",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO terminal_attachments
             (session_id, epoch, process_id, login_id, attached_at, opened_at, seen_at, detached_at, close_code)
         SELECT id, epoch, gen_random_uuid(), 'l', running_at + make_interval(secs => from_second),
                running_at + make_interval(secs => from_second),
                running_at + make_interval(secs => coalesce(until, 600)),
                running_at + make_interval(secs => until), code
         FROM (VALUES (1, 0, 100, NULL), (2, 190, 300, 1001), (3, 360, NULL, NULL))
                  AS row (epoch, from_second, until, code),
              exam_sessions
         WHERE id = $1::text::uuid",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_the_platform_took_is_told_with_its_cause_and_given_back_once(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    interrupt(&pool, &id).await;
    let compensate = ["sessions", "compensate", &id];

    let owed = carrel.data(&compensate).await["debt"].clone();
    assert_eq!(
        (&owed["owed_seconds"], &owed["due_seconds"]),
        (&json!(90), &json!(90))
    );
    let told: Vec<_> = owed["interruptions"].as_array().unwrap().iter().collect();
    let told: Vec<_> = told
        .iter()
        .map(|it| (&it["charged_to"], &it["cause"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("platform"), &json!("process_lost")),
            (&json!("candidate"), &json!("going_away"))
        ]
    );

    let nameless = carrel.run(&[&compensate[..], &["--apply"]].concat()).await;
    assert_eq!(nameless.exit, 2, "whoever gives says who and why");
    let apply = [&compensate[..], &AUTHOR, &["--apply"]].concat();
    let given = carrel.data(&apply).await;
    assert_eq!(given["result"]["outcome"], "granted");
    assert_eq!(given["debt"]["due_seconds"], 0);
    let again = carrel.data(&apply).await;
    assert_eq!(again["result"]["outcome"], "nothing_owed");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_story_of_a_session_has_its_interruptions_and_what_is_owed(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    interrupt(&pool, &id).await;
    let whole = carrel.data(&["sessions", "explain", &id]).await;
    let without = happenings(&whole)
        .iter()
        .filter(|what| **what == "no terminal")
        .count();
    assert_eq!(without, 2);
    let told = carrel
        .lines(&["sessions", "explain", &id, "-o", "text"])
        .await;
    let owed = told
        .all
        .iter()
        .find(|line| line.starts_with("Owed"))
        .unwrap();
    let wanted = format!(
        "90 s by the platform, 90 s of it not given back · carrel sessions compensate {id}"
    );
    assert!(owed.ends_with(&wanted), "{owed}");
    let lost = told
        .all
        .iter()
        .find(|line| line.contains("process lost"))
        .unwrap();
    assert!(
        lost.contains("platform") && lost.contains("90.0 s"),
        "{lost}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_whole_exam_is_given_its_time_back_by_who_names_how_many_sessions_it_has(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let made = [running(&carrel, "u-1").await, running(&carrel, "u-2").await];
    interrupt(&pool, &made[0]).await;
    let compensate = ["sessions", "compensate", "--exam", EXAM];

    let shown = carrel.data(&compensate).await;
    assert_eq!(
        [&shown["dry_run"], &shown["granted"], &shown["owed_nothing"]],
        [&json!(true), &json!(1), &json!(1)]
    );
    let apply = [&compensate[..], &AUTHOR, &["--apply"]].concat();
    let unconfirmed = carrel.run(&apply).await;
    assert_eq!(
        (unconfirmed.exit, &unconfirmed.error["field"]),
        (6, &json!("confirm"))
    );
    let confirmed = [&apply[..], &["--confirm", "2"]].concat();
    let done = carrel.data(&confirmed).await;
    assert_eq!(
        (&done["granted"], &done["owed_nothing"]),
        (&json!(1), &json!(1))
    );
    let again = carrel.data(&confirmed).await;
    assert_eq!(
        (&again["granted"], &again["owed_nothing"]),
        (&json!(0), &json!(2))
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_is_given_back_to_nobody_and_to_whom_has_ended(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let nobody = "01982f6e-0000-7000-8000-000000000001";
    for more in [&[][..], &["--apply", "--reason", "r", "--as", "dana"]] {
        let unknown = carrel
            .run(&[&["sessions", "compensate", nobody], more].concat())
            .await;
        assert_eq!(unknown.exit, 3, "{unknown:?}");
        assert_eq!(unknown.error["code"], "session.not_found");
    }
    let id = running(&carrel, "u-1").await;
    interrupt(&pool, &id).await;
    let end = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        &id,
        "--to",
        "terminated",
        "--reason",
        "INC-7",
    ];
    carrel.data(&end).await;
    let late = carrel
        .run(&[&["sessions", "compensate", &id, "--apply"][..], &AUTHOR].concat())
        .await;
    assert_eq!(
        (late.exit, &late.error["code"]),
        (4, &json!("session.ended"))
    );
    let told = carrel.data(&["sessions", "compensate", &id]).await;
    assert_eq!(told["debt"]["owed_seconds"], 90, "the record stays");
}
