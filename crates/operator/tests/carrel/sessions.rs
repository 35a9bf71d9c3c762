//! The operator's verbs on sessions, from the request to the end.

use serde_json::Value;
use sqlx::PgPool;

use crate::run::Carrel;

const EXAM: &str = "linux-fundamentals";
pub(crate) const NOBODY: &str = "01982f6e-0000-7000-8000-000000000001";

pub(crate) async fn step(carrel: &Carrel, id: &str, to: &str) {
    carrel
        .data(&[
            "lifecycle",
            "transition",
            "--as",
            "cli",
            "--session-id",
            id,
            "--to",
            to,
        ])
        .await;
}

pub(crate) async fn running(carrel: &Carrel, user: &str) -> String {
    carrel.apply_exam().await;
    let id = carrel.session(user).await;
    for to in ["initializing", "ready", "running"] {
        step(carrel, &id, to).await;
    }
    id
}

pub(crate) fn happenings(story: &Value) -> Vec<&str> {
    let events = story["timeline"].as_array().unwrap().iter();
    events
        .map(|event| event["what"].as_str().unwrap())
        .collect()
}

pub(crate) async fn jobs(pool: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "jobs!" FROM jobs"#)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_repeated_request_finds_the_session_of_the_first(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let create = [
        "sessions",
        "create",
        "--user-id",
        "u-1",
        "--exam",
        EXAM,
        "--as",
        "dana",
    ];
    let first = carrel.data(&create).await;
    let second = carrel.data(&create).await;
    assert_eq!(
        (&first["created"], &second["created"]),
        (&true.into(), &false.into())
    );
    assert_eq!(first["session"]["id"], second["session"]["id"]);
    assert_eq!(jobs(&pool).await, 1);

    let key = ["--as", "dana", "--exam", EXAM, "--idempotency-key", "k"];
    let key = [&create[..4], &key].concat();
    carrel.data(&key).await;
    let other = [&["sessions", "create", "--user-id", "u-2"], &key[4..]].concat();
    let reused = carrel.run(&other).await;
    assert_eq!(reused.exit, 4, "{reused:?}");
    assert_eq!(reused.error["code"], "idempotency.key_reused");
    assert_eq!(reused.error["field"], "idempotency-key");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_unknown_exam_is_named_with_the_one_that_was_meant(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let create = [
        "sessions",
        "create",
        "--user-id",
        "u-1",
        "--as",
        "dana",
        "--exam",
    ];
    let unknown = carrel
        .run(&[&create[..], &["linux-fundmentals"]].concat())
        .await;
    assert_eq!((unknown.exit, &unknown.error["field"]), (3, &"exam".into()));
    let next = unknown.error["next"].as_str().unwrap();
    assert!(next.contains("\"linux-fundamentals\" (v1)"), "{next}");
    let version = carrel
        .run(&[&create[..], &[EXAM, "--exam-version", "7"]].concat())
        .await;
    assert_eq!(
        (version.exit, &version.error["field"]),
        (3, &"exam-version".into())
    );
    assert_eq!(jobs(&pool).await, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_story_merges_transitions_extensions_and_jobs_in_order(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1042").await;
    let by = ["--by", "10m", "--reason", "INC-7", "--as", "dana"];
    carrel
        .data(&[&["sessions", "extend", &id], &by[..]].concat())
        .await;
    let story = carrel.data(&["sessions", "show", &id]).await;
    assert_eq!(
        happenings(&story),
        [
            "created",
            "job provision_environment",
            "initializing",
            "ready",
            "running",
            "extended +10m"
        ]
    );
    assert_eq!(story["jobs"][0]["kind"], "provision_environment");
    assert_eq!(story["status"]["extended_ms"], 600_000);
    assert_eq!(story["environment"]["state"], "absent");

    let failed = [
        "--to",
        "failed",
        "--code",
        "infra.node_lost",
        "--reason",
        "gone",
    ];
    carrel
        .data(
            &[
                &[
                    "lifecycle",
                    "transition",
                    "--as",
                    "cli",
                    "--session-id",
                    &id,
                ],
                &failed[..],
            ]
            .concat(),
        )
        .await;
    let story = carrel.data(&["sessions", "explain", &id]).await;
    assert_eq!(story["failure"]["attribution"], "platform");
    assert!(
        story["failure"]["runbook"]
            .as_str()
            .unwrap()
            .starts_with("deploy/runbooks.md#")
    );
    assert_eq!(happenings(&story).last(), Some(&"failed"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_is_granted_once_per_key_and_never_past_the_cap(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let extend = |by, key| {
        let id = id.as_str();
        [
            "sessions",
            "extend",
            id,
            "--by",
            by,
            "--reason",
            "r",
            "--as",
            "dana",
            "--idempotency-key",
            key,
        ]
    };
    let first = carrel.data(&extend("5m", "a")).await;
    let again = carrel.data(&extend("5m", "a")).await;
    assert_eq!(
        (&first["already"], &again["already"]),
        (&false.into(), &true.into())
    );
    assert_eq!(first["session"]["ends_at"], again["session"]["ends_at"]);
    let other = carrel.run(&extend("6m", "a")).await;
    assert_eq!(
        (other.exit, &other.error["field"]),
        (4, &"idempotency-key".into())
    );
    let beyond = carrel.run(&extend("20h", "b")).await;
    assert_eq!(
        (beyond.exit, &beyond.error["code"]),
        (4, &"extension.beyond_cap".into())
    );
    let unknown = [
        "sessions", "extend", NOBODY, "--by", "5m", "--reason", "r", "--as", "dana",
    ];
    assert_eq!(carrel.run(&unknown).await.exit, 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_is_ended_only_by_who_names_it_twice(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let terminate = [
        "sessions",
        "terminate",
        &id,
        "--reason",
        "INC-7",
        "--as",
        "dana",
    ];
    for confirm in [&[][..], &["--confirm", NOBODY]] {
        let refused = carrel.run(&[&terminate[..], confirm].concat()).await;
        assert_eq!(
            (refused.exit, &refused.error["field"]),
            (6, &"confirm".into())
        );
    }
    assert_eq!(jobs(&pool).await, 1);

    let confirmed = [&terminate[..], &["--confirm", &id]].concat();
    assert_eq!(carrel.data(&confirmed).await["requested"], true);
    assert_eq!(carrel.data(&confirmed).await["requested"], true);
    let listed = carrel
        .data(&[
            "jobs",
            "list",
            "--session",
            &id,
            "--kind",
            "terminate_session",
        ])
        .await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["jobs"][0]["enqueued_by"], "staff:dana");

    let transition = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        &id,
        "--to",
        "terminated",
    ];
    carrel
        .data(&[&transition[..], &["--reason", "INC-7"]].concat())
        .await;
    assert_eq!(carrel.data(&confirmed).await["requested"], false);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn waiting_ends_when_it_came_when_it_cannot_come_and_when_time_is_up(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let id = carrel.session("u-1").await;
    let wait = |what, timeout| ["sessions", "wait", &id, "--for", what, "--timeout", timeout];
    let late = carrel.run(&wait("ready", "300ms")).await;
    assert_eq!(
        (late.exit, &late.error["code"]),
        (8, &"wait.timed_out".into())
    );
    let coming = wait("ready", "20s");
    let (came, ()) = tokio::join!(carrel.data(&coming), async {
        step(&carrel, &id, "initializing").await;
        step(&carrel, &id, "ready").await;
    });
    assert_eq!(came["session"]["state"], "ready");
    let transition = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        &id,
        "--to",
        "terminated",
    ];
    carrel
        .data(&[&transition[..], &["--reason", "INC-7"]].concat())
        .await;
    assert_eq!(carrel.run(&wait("running", "20s")).await.exit, 4);
    assert_eq!(carrel.run(&wait("ended", "1s")).await.exit, 0);
    let nobody = ["sessions", "wait", NOBODY, "--for", "ended"];
    assert_eq!(carrel.run(&nobody).await.exit, 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_list_is_narrowed_and_turned_page_by_page(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let mut made = Vec::new();
    for user in ["u-1", "u-2", "u-3"] {
        made.push(carrel.session(user).await);
    }
    step(&carrel, &made[0], "initializing").await;
    let list = async |filter: &[&str]| {
        let listed = carrel.data(&[&["sessions", "list"], filter].concat()).await;
        let sessions = listed["sessions"].as_array().unwrap().iter();
        let ids: Vec<_> = sessions
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, listed["next_cursor"].as_str().map(ToOwned::to_owned))
    };
    let newest_first: Vec<_> = made.iter().rev().cloned().collect();
    assert_eq!(list(&[]).await, (newest_first.clone(), None));
    assert_eq!(list(&["--state", "initializing"]).await.0, made[..1]);
    assert_eq!(list(&["--user", "u-2"]).await.0, made[1..2]);
    assert_eq!(list(&["--exam", "another"]).await.0, Vec::<String>::new());
    let (page, cursor) = list(&["--limit", "2"]).await;
    assert_eq!(page, newest_first[..2]);
    assert_eq!(list(&["--after", &cursor.unwrap()]).await.0, made[..1]);
    let lines = async |words: &[&str]| {
        carrel
            .lines(&[&["sessions", "list"], words].concat())
            .await
            .all
    };
    assert_eq!(lines(&["-o", "name"]).await, newest_first);
    let columns = ["-o", "tsv", "--columns", "user,state", "--limit", "2"];
    assert_eq!(
        lines(&columns).await,
        ["user\tstate", "u-3\tcreated", "u-2\tcreated"]
    );
    let exams = carrel.lines(&["exams", "list", "-o", "name"]).await.all;
    assert_eq!(exams, ["linux-fundamentals"]);
    let recordings = carrel
        .lines(&["recordings", "list", "-o", "name"])
        .await
        .all;
    assert!(recordings.is_empty(), "{recordings:?}");
}
