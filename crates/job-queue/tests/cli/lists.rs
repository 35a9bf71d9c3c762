//! One list in every output, and narrowed by every filter.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::{data, put, run};

/// Every list of this library.
const LISTS: [&[&str]; 7] = [
    &["list"],
    &["ops", "list"],
    &["dlq", "list"],
    &["queues", "list"],
    &["queues", "stats"],
    &["workers", "list"],
    &["schedules", "list"],
];

async fn lines(pool: &PgPool, words: &[&str]) -> Vec<String> {
    let output = run(pool, words).await;
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

async fn refusal(pool: &PgPool, words: &[&str]) -> Value {
    let output = run(pool, words).await;
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{words:?}"
    );
    serde_json::from_slice(&output.stderr).expect("one JSON error")
}

async fn put_many(pool: &PgPool, count: i32) {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "INSERT INTO jobs (id, queue, kind, payload, attempt)
         SELECT lpad(to_hex(n), 32, '0')::uuid, 'test', 'ping',
                jsonb_build_object('n', n, 'exam', 'rust-' || n), n
         FROM generate_series(1, {count}) n"
    )))
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_empty_list_is_nothing_in_every_output_and_no_failure(pool: PgPool) {
    for list in LISTS {
        let with = |output| [list, &["-o", output]].concat();
        let document = data(&run(&pool, list).await);
        let rows = document.as_object().unwrap().values();
        assert!(rows.clone().any(|rows| *rows == json!([])), "{document}");
        for output in ["jsonl", "name"] {
            assert!(lines(&pool, &with(output)).await.is_empty(), "{list:?}");
        }
        assert_eq!(lines(&pool, &with("tsv")).await.len(), 1, "the names alone");
        for output in ["text", "wide"] {
            assert_eq!(lines(&pool, &with(output)).await.len(), 1, "{list:?}");
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn lines_go_on_past_every_page_and_stop_at_a_limit(pool: PgPool) {
    put_many(&pool, 1_200).await;
    let names = lines(&pool, &["list", "-o", "name"]).await;
    let newest_first = names.iter().is_sorted_by(|one, next| one > next);
    assert!(newest_first && names.len() == 1_200, "{}", names.len());
    let some = lines(&pool, &["list", "-o", "name", "--limit", "3"]).await;
    assert_eq!(some, names[..3]);
    let after = ["list", "-o", "name", "--after", &names[1_197]];
    assert_eq!(lines(&pool, &after).await, names[1_198..]);

    let rows = lines(&pool, &["list", "-o", "jsonl"]).await;
    assert_eq!(rows.len(), 1_200);
    let row: Value = serde_json::from_str(&rows[0]).unwrap();
    assert_eq!(row["schema"], "job-queue/list-row.v1");
    let page = data(&run(&pool, &["list"]).await);
    assert_eq!(row["data"], page["jobs"][0], "as in the document");
    assert_eq!(page["next_cursor"], names[49].as_str());
    assert_eq!(page["jobs"].as_array().unwrap().len(), 50);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn tables_have_the_columns_that_are_asked_for_and_refuse_others(pool: PgPool) {
    put_many(&pool, 2).await;
    sqlx::raw_sql("UPDATE jobs SET outcome_class = 'a', outcome_reason = E'tab\\there\\nand more'")
        .execute(&pool)
        .await
        .unwrap();
    let tsv = ["list", "-o", "tsv", "--columns", "id,reason,session"];
    let id = |number| format!("00000000-0000-0000-0000-00000000000{number}");
    let row = |number| format!("{}\ttab\\there\\nand more\t", id(number));
    let expected = ["id\treason\tsession".to_owned(), row(2), row(1)];
    assert_eq!(lines(&pool, &tsv).await, expected);
    let text = ["list", "-o", "text", "--columns", "state,attempt,session"];
    let expected = [
        "STATE  ATTEMPT  SESSION",
        "ready        2  -",
        "ready        1  -",
    ];
    assert_eq!(lines(&pool, &text).await, expected);
    let page = lines(&pool, &["list", "-o", "text", "--limit", "1"]).await;
    assert!(!page[0].contains("PAYLOAD"), "{page:?}");
    assert_eq!(page[2], format!("there may be more: --after {}", id(2)));
    let wide = lines(&pool, &["list", "-o", "wide"]).await;
    assert!(wide[0].ends_with("PAYLOAD"), "{wide:?}");

    let unknown = refusal(&pool, &["list", "-o", "tsv", "--columns", "id,stat"]).await;
    assert_eq!(unknown["field"], "columns");
    let next = unknown["next"].as_str().unwrap();
    assert!(next.starts_with("choose from id,state,queue"), "{next}");
    let json = refusal(&pool, &["list", "--columns", "id"]).await;
    assert_eq!(json["field"], "columns");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_lays_out_rows_is_refused_where_there_are_none_and_nothing_is_done(pool: PgPool) {
    let id = put(&pool).await;
    for output in ["tsv", "name"] {
        let words = ["cancel", &id, "--as", "dana", "--yes", "-o", output];
        assert_eq!(refusal(&pool, &words).await["field"], "output");
    }
    let wide = run(&pool, &["show", &id, "-o", "wide"]).await;
    assert_eq!(wide.status.code(), Some(2));
    assert!(wide.stderr.starts_with(b"error: "), "people read {wide:?}");
    let shown = run(&pool, &["show", &id, "-o", "jsonl"]).await;
    assert_eq!(
        data(&shown)["job"]["state"],
        "ready",
        "one line is JSON lines"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_found_by_their_worker_their_attempts_and_what_they_hold(pool: PgPool) {
    put_many(&pool, 4).await;
    let runs = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots)
                VALUES ('00000000-0000-0000-0000-00000000000f', 'w-1', 'h', 'b', '{}', '{}', 1),
                       (gen_random_uuid(), 'w-2', 'h', 'b', '{}', '{}', 1);
                UPDATE jobs SET state = 'running', lease_until = now(),
                       lease_owner = '00000000-0000-0000-0000-00000000000f' WHERE attempt = 4";
    sqlx::raw_sql(runs).execute(&pool).await.unwrap();
    for (words, found) in [
        (&["--worker", "w-1"][..], &["4"][..]),
        (
            &["--worker", "00000000-0000-0000-0000-00000000000f"],
            &["4"],
        ),
        (&["--worker", "w-2"], &[]),
        (&["--attempts", ">=3"], &["4", "3"]),
        (&["--attempts", "<2"], &["1"]),
        (&["--attempts", "2"], &["2"]),
        (&["--where", "n=3"], &["3"]),
        (&["--where", "exam=rust-2"], &["2"]),
        (&["--where", "exam=rust-2", "--where", "n=3"], &[]),
        (&["--attempts", ">1", "--where", "n=2"], &["2"]),
    ] {
        let list = [&["list", "-o", "name"], words].concat();
        let ends: Vec<_> = lines(&pool, &list).await;
        let ends: Vec<_> = ends.iter().map(|id| &id[35..]).collect();
        assert_eq!(ends, found, "{words:?}");
    }
    let count = data(&run(&pool, &["count", "--by", "state", "--attempts", ">2"]).await);
    assert_eq!(count["counts"].as_array().unwrap().len(), 2, "{count}");
    for (wrong, field) in [
        (&["--attempts", "many"][..], "attempts"),
        (&["--where", "n"], "where"),
        (&["--where", "n=1", "--where", "n=2"], "where"),
        (&["--worker", ""], "worker"),
    ] {
        let refused = refusal(&pool, &[&["list"], wrong].concat()).await;
        assert_eq!(refused["field"], field, "{wrong:?}");
    }
    let nobody = run(&pool, &["list", "--worker", "w-9"]).await;
    assert_eq!(
        nobody.status.code(),
        Some(3),
        "a typing error is no idle worker"
    );
}

/// As many workers as a list looks at have ended since this one.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_old_worker_is_shown_and_a_list_says_where_it_is_cut(pool: PgPool) {
    let old = "01931f4e-0000-7000-8000-000000000001";
    let many = format!(
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, started_at, stopped_at)
         SELECT gen_random_uuid(), 'w', 'h', 'b', '{{test}}'::text[], '{{}}'::text[], 1, now(), now()
         FROM generate_series(1, 499)
         UNION ALL
         SELECT '{old}', 'old', 'h', 'b', '{{test}}', '{{}}', 1, now() - interval '1 day', now()"
    );
    let add = async || {
        let added = sqlx::raw_sql(AssertSqlSafe(many.clone()));
        added.execute(&pool).await.unwrap();
    };
    let cut = async || {
        let listed = run(&pool, &["workers", "list", "--all"]).await;
        String::from_utf8_lossy(&listed.stderr).contains("500 are looked at")
    };
    let one_fewer = "DELETE FROM workers WHERE incarnation IN
                     (SELECT incarnation FROM workers WHERE name = 'w' LIMIT 1)";
    add().await;
    sqlx::raw_sql(one_fewer).execute(&pool).await.unwrap();
    assert!(!cut().await);
    sqlx::raw_sql("DELETE FROM workers")
        .execute(&pool)
        .await
        .unwrap();
    add().await;
    let newer =
        "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, stopped_at)
                 VALUES (gen_random_uuid(), 'newer', 'h', 'b', '{test}', '{}', 1, now())";
    sqlx::raw_sql(newer).execute(&pool).await.unwrap();
    assert!(cut().await);
    let shown = data(&run(&pool, &["workers", "show", old]).await);
    assert_eq!(
        (&shown["worker"]["name"], &shown["state"]),
        (&json!("old"), &json!("ended"))
    );
}
