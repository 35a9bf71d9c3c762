//! What people did, in one list: of every kind, by every flag, page by page.

mod plans;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::compensation::interrupt;
use crate::run::{Carrel, Ended};
use crate::sessions::running;

const WHY: [&str; 4] = ["--reason", "INC-7", "--as", "dana"];

/// The list's entries and its cursor.
async fn listed(carrel: &Carrel, flags: &[&str]) -> (Vec<Value>, Option<String>) {
    let data = carrel.data(&[&["audit", "list"][..], flags].concat()).await;
    let cursor = data["next_cursor"].as_str().map(ToOwned::to_owned);
    (data["entries"].as_array().unwrap().clone(), cursor)
}

fn verbs(entries: &[Value]) -> Vec<&str> {
    let verb = entries.iter().map(|entry| entry["verb"].as_str().unwrap());
    verb.collect()
}

/// Does one of each kind of thing, and gives the session's id, the job's and the waiver's.
async fn one_of_each(carrel: &Carrel, pool: &PgPool) -> [String; 3] {
    let session = running(carrel, "u-1").await;
    let jobs = carrel.data(&["jobs", "list", "--session", &session]).await;
    let job = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
    carrel
        .data(&[&["queues", "pause", "environments", "--yes"][..], &WHY].concat())
        .await;
    carrel
        .data(&[&["jobs", "cancel", &job, "--yes"][..], &WHY].concat())
        .await;
    carrel
        .data(&[&["sessions", "extend", &session, "--by", "5m"][..], &WHY].concat())
        .await;
    interrupt(pool, &session).await;
    let compensate = ["sessions", "compensate", &session, "--apply"];
    let eve = ["--reason", "INC-7", "--as", "eve"];
    carrel.data(&[&compensate[..], &eve].concat()).await;
    let waive = ["environments", "isolation", "waive", "--for", "8h"];
    let confirmed = ["--confirm", "no_network"];
    let waiver = carrel.data(&[&waive[..], &confirmed, &WHY].concat()).await;
    let waiver = waiver["id"].as_str().unwrap().to_owned();
    let revoke = ["environments", "isolation", "revoke", "--id", &waiver];
    carrel
        .data(&[&revoke[..], &["--as", "dana"]].concat())
        .await;
    [session, job, waiver]
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_list_tells_everything_that_people_signed_newest_first(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let [session, job, waiver] = one_of_each(&carrel, &pool).await;
    let (all, cursor) = listed(&carrel, &[]).await;
    assert_eq!(cursor, None);
    let newest = [
        "waiver.revoke",
        "waiver.grant",
        "session.compensate",
        "session.extend",
        "job.cancel",
        "queue.pause",
    ];
    assert_eq!(verbs(&all)[..newest.len()], newest);
    let oldest = verbs(&all);
    assert!(oldest.contains(&"session.created") && oldest.contains(&"session.running"));
    assert_eq!(oldest.last(), Some(&"exam.apply"));
    let times: Vec<_> = all.iter().map(|entry| entry["at"].as_str()).collect();
    assert!(
        times.is_sorted_by(|newer, older| newer >= older),
        "{times:?}"
    );

    let cancelled = &all[4];
    let shown = carrel.data(&["sessions", "show", &session]).await;
    assert_eq!(cancelled["job_id"], json!(job));
    assert_eq!(cancelled["session_id"], json!(session));
    assert_eq!(cancelled["user_id"], "u-1");
    assert!(cancelled["environment_id"].is_string(), "{shown}");
    assert_eq!(
        (&cancelled["actor"], &cancelled["reason"]),
        (&json!("staff:dana"), &json!("INC-7"))
    );
    assert_eq!(all[0]["detail"]["waiver"], json!(waiver));
    assert_eq!(all[3]["detail"]["by_seconds"], 300);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn pages_lose_and_double_nothing_even_of_one_moment(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let [session, ..] = one_of_each(&carrel, &pool).await;
    // One moment, shared by three rows of every source, and Carrel's own among them. Triggers would
    // find that none of it was lived through.
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET session_replication_role = replica;
         INSERT INTO job_actions (at, verb, actor) SELECT '2026-01-01Z', 'job.retry', 'staff:eve'
             FROM generate_series(1, 3);
         INSERT INTO job_actions (at, verb, actor) VALUES ('2026-01-01Z', 'operation.end', 'system:worker');
         INSERT INTO session_extensions
             (at, session_id, version, by_seconds, previous_end, new_end, actor, reason, idempotency_key)
             SELECT '2026-01-01Z', '{session}', n, 1, now(), now(), 'staff:eve', 'r', 'k' || n
             FROM generate_series(1, 3) AS n;
         INSERT INTO session_transitions (at, session_id, version, to_state, cause, actor)
             SELECT '2026-01-01Z', '{session}', 900 + n, 'ready', 'c',
                    CASE n WHEN 4 THEN 'system:worker' ELSE 'staff:eve' END
             FROM generate_series(1, 4) AS n;
         INSERT INTO isolation_waivers (id, protection, reason, granted_by, granted_at, expires_at)
             SELECT gen_random_uuid(), 'no_network', 'r', 'staff:eve', '2026-01-01Z', '2026-01-02Z'
             FROM generate_series(1, 3);
         RESET session_replication_role"
    )))
    .execute(&pool)
    .await
    .unwrap();
    let (all, _) = listed(&carrel, &["--limit", "500"]).await;
    let then = all.iter().filter(|it| it["actor"] == "staff:eve");
    assert_eq!(then.count(), 1 + 4 * 3);
    let by_carrel = |entry: &Value| entry["actor"].as_str().unwrap().starts_with("system:");
    assert!(!all.iter().any(by_carrel), "{all:?}");
    for limit in ["1", "2", "5"] {
        let (mut paged, mut cursor) = listed(&carrel, &["--limit", limit]).await;
        while let Some(after) = cursor {
            let page = listed(&carrel, &["--limit", limit, "--cursor", &after]).await;
            paged.extend(page.0);
            cursor = page.1;
        }
        assert_eq!(paged, all, "--limit {limit}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_flag_narrows_and_a_wrong_one_is_refused_by_its_name(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let [session, job, _] = one_of_each(&carrel, &pool).await;
    let other = carrel.session("u-2").await;
    let (by_eve, _) = listed(&carrel, &["--actor", "eve"]).await;
    assert_eq!(verbs(&by_eve), ["session.compensate"]);
    assert_eq!(listed(&carrel, &["--actor", "staff:eve"]).await.0, by_eve);
    assert!(listed(&carrel, &["--actor", "ev"]).await.0.is_empty());
    let (of_job, _) = listed(&carrel, &["--job", &job]).await;
    assert_eq!(verbs(&of_job), ["job.cancel"]);
    let (of_session, _) = listed(&carrel, &["--session-id", &session]).await;
    assert!(
        of_session
            .iter()
            .all(|it| it["session_id"] == json!(session))
    );
    assert_eq!(
        verbs(&of_session)[..3],
        ["session.compensate", "session.extend", "job.cancel"]
    );
    let (of_other, _) = listed(&carrel, &["--session-id", &other]).await;
    assert_eq!(verbs(&of_other), ["session.created"]);

    let (all, _) = listed(&carrel, &[]).await;
    let moment = of_job[0]["at"].as_str().unwrap();
    let (later, _) = listed(&carrel, &["--since", moment]).await;
    let (earlier, _) = listed(&carrel, &["--until", moment]).await;
    assert_eq!(later.last(), of_job.first());
    assert_eq!([later, earlier].concat(), all);

    let refused = |ended: Ended, field: &str| {
        assert_eq!((ended.exit, &ended.error["field"]), (2, &json!(field)));
    };
    let reversed = ["audit", "list", "--since", "1h", "--until", "2h"];
    refused(carrel.run(&reversed).await, "since");
    refused(
        carrel.run(&["audit", "list", "--cursor", "17"]).await,
        "cursor",
    );
    refused(
        carrel.run(&["audit", "list", "--limit", "0"]).await,
        "limit",
    );
    refused(carrel.run(&["audit", "list", "--actor", ""]).await, "actor");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn people_read_a_table_with_all_ids_and_how_to_go_on(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let nothing = carrel.lines(&["audit", "list", "-o", "text"]).await;
    assert_eq!(nothing.all[0], "nobody did anything");
    let contract = carrel.lines(&["audit", "list"]).await.all.join("\n");
    let contract: Value = serde_json::from_str(&contract).unwrap();
    let empty = json!({ "entries": [], "next_cursor": null });
    assert_eq!(
        contract,
        json!({ "schema": "operator/audit-list.v1", "data": empty })
    );
    let [session, job, _] = one_of_each(&carrel, &pool).await;
    let told = carrel
        .lines(&["audit", "list", "--job", &job, "-o", "text"])
        .await;
    assert!(told.all[0].starts_with("AT "), "{:?}", told.all);
    let line = &told.all[1];
    for word in [
        "staff:dana",
        "job.cancel",
        "user u-1",
        "environment ",
        "INC-7",
    ] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(line.contains(&format!("session {session}")) && line.contains(&format!("job {job}")));
    let told = carrel
        .lines(&["audit", "list", "--limit", "1", "-o", "text"])
        .await;
    assert!(told.all[2].contains("--cursor "), "{:?}", told.all);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn scripts_read_every_page_as_lines_and_go_on_after_any(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    one_of_each(&carrel, &pool).await;
    let (all, _) = listed(&carrel, &[]).await;
    let rows = carrel.lines(&["audit", "list", "-o", "jsonl"]).await.all;
    let entry = |row: &String| serde_json::from_str::<Value>(row).unwrap()["data"].clone();
    assert_eq!(rows.iter().map(entry).collect::<Vec<_>>(), all);
    let names = carrel.lines(&["audit", "list", "-o", "name"]).await.all;
    let (rest, _) = listed(&carrel, &["--cursor", &names[2]]).await;
    assert_eq!(rest, all[3..]);
    let verbs = [
        "audit",
        "list",
        "-o",
        "tsv",
        "--columns",
        "verb",
        "--limit",
        "1",
    ];
    let newest = carrel.lines(&verbs).await.all;
    assert_eq!(newest, ["verb", "waiver.revoke"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_sweeps_by_hand_signs_what_it_ends(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let over = running(&carrel, "u-over").await;
    sqlx::query!(
        "UPDATE exam_sessions SET ends_at = now() - interval '1 s', version = version + 1
         WHERE id = $1::text::uuid",
        over,
    )
    .execute(&pool)
    .await
    .unwrap();
    let nameless = carrel.run(&["sweep"]).await;
    assert_eq!((nameless.exit, &nameless.error["field"]), (2, &json!("as")));
    carrel.data(&["sweep", "--dry-run"]).await;
    carrel.data(&["sweep", "--as", "dana"]).await;
    let (by_dana, _) = listed(&carrel, &["--actor", "dana", "--session-id", &over]).await;
    assert_eq!(verbs(&by_dana), ["session.terminated"]);
    assert_eq!(by_dana[0]["detail"]["cause"], "sweep:expired");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_done_to_environments_by_hand_is_listed_even_if_nobody_signed(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    for (user, signature) in [("u-1", &[][..]), ("u-2", &WHY[..])] {
        let session = carrel.session(user).await;
        let destroy = ["environments", "destroy", "--session-id", &session];
        let confirmed = ["--confirm", &session];
        // Nothing was ever asked of a runtime, so that none need answer.
        let silent = ["--docker-host", "tcp://127.0.0.1:9"];
        let destroyed = [&destroy[..], &confirmed, &silent, signature].concat();
        let destroyed = carrel.data(&destroyed).await;
        assert_eq!(destroyed["environment"]["state"], "gone");
        let (of_session, _) = listed(&carrel, &["--session-id", &session]).await;
        assert_eq!(
            verbs(&of_session),
            ["environment.destroy", "session.created"]
        );
        assert_eq!(of_session[0]["user_id"], user);
        assert!(of_session[0]["environment_id"].is_string());
        assert_eq!(of_session[0]["detail"]["from"], "absent");
    }
    let (all, _) = listed(&carrel, &["--limit", "3"]).await;
    let signed: Vec<_> = all.iter().map(|it| (&it["actor"], &it["reason"])).collect();
    assert_eq!(signed[0], (&json!("staff:dana"), &json!("INC-7")));
    assert_eq!(signed[2], (&json!("system:cli"), &Value::Null));
    let (by_dana, _) = listed(&carrel, &["--actor", "dana", "--limit", "1"]).await;
    assert_eq!(verbs(&by_dana), ["environment.destroy"]);
    let after = listed(&carrel, &["--limit", "1"]).await.1.unwrap();
    let (next, _) = listed(&carrel, &["--limit", "2", "--cursor", &after]).await;
    assert_eq!(next, all[1..3]);
}
