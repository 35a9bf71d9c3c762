//! One session found, and told with all that is on record.

use serde_json::Value;
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::{NOBODY, happenings, running};

async fn found(carrel: &Carrel, filter: &[&str]) -> Vec<String> {
    let listed = carrel.data(&[&["sessions", "list"], filter].concat()).await;
    let sessions = listed["sessions"].as_array().unwrap().iter();
    sessions
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn reference(carrel: &Carrel, id: &str) -> String {
    let status = carrel.data(&["status", "get", "--session-id", id]).await;
    status["reference"].as_str().unwrap().to_owned()
}

async fn fail(carrel: &Carrel, id: &str, code: &str) {
    let failed = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        id,
        "--to",
        "failed",
        "--code",
        code,
    ];
    carrel
        .data(&[&failed[..], &["--reason", "gone"]].concat())
        .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_is_found_by_what_its_candidate_reads_aloud(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let first = carrel.session("u-1").await;
    let second = carrel.session("u-2").await;
    for id in [&first, &second] {
        let told = reference(&carrel, id).await;
        let typed = told.to_lowercase().replace('-', "");
        assert_eq!(found(&carrel, &["--reference", &told]).await, [id.as_str()]);
        assert_eq!(
            found(&carrel, &["--reference", &typed]).await,
            [id.as_str()]
        );
    }

    // Two ids with one end: both are meant.
    let twin = format!("{}{}", &first[..24], &second[24..]);
    copy(&pool, &second, &twin).await;
    let both = found(
        &carrel,
        &["--reference", &reference(&carrel, &second).await],
    )
    .await;
    assert_eq!(both, [second.as_str(), &twin]);

    let wrong = carrel
        .run(&["sessions", "list", "--reference", "7F3K-2"])
        .await;
    assert_eq!(
        (wrong.exit, &wrong.error["field"]),
        (2, &"reference".into())
    );
    let message = wrong.error["message"].as_str().unwrap();
    assert!(message.contains("six letters and digits"), "{message}");
}

/// Inserts another candidate's session with an id of the test's choice.
async fn copy(pool: &PgPool, from: &str, id: &str) {
    sqlx::query!(
        "INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         SELECT $2::text::uuid, 'u-twin', gen_random_uuid(), exam_name, exam_version, ready_by, absolute_end
         FROM exam_sessions WHERE id = $1::text::uuid",
        from,
        id,
    )
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_list_is_narrowed_by_failure_and_time(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let lost = carrel.session("u-1").await;
    let live = carrel.session("u-2").await;
    fail(&carrel, &lost, "infra.node_lost").await;
    assert_eq!(
        found(&carrel, &["--code", "infra.node_lost"]).await,
        [lost.as_str()]
    );
    assert!(
        found(&carrel, &["--code", "infra.unclassified"])
            .await
            .is_empty()
    );
    assert_eq!(
        found(&carrel, &["--since", "1h"]).await,
        [live.as_str(), &lost]
    );
    assert!(
        found(&carrel, &["--since", "2100-01-01T00:00:00Z"])
            .await
            .is_empty()
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_answers_to_the_beginning_of_its_id(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    carrel.apply_exam().await;
    let first = carrel.session("u-1").await;
    let second = carrel.session("u-2").await;
    let unlike = first
        .bytes()
        .zip(second.bytes())
        .position(|(one, other)| one != other);
    let enough = &first[..=unlike.unwrap().max(8)];
    for verb in ["show", "explain"] {
        let story = carrel.data(&["sessions", verb, enough]).await;
        assert_eq!(story["session"]["id"], first.as_str());
        let none = carrel.run(&["sessions", verb, "ffffff"]).await;
        assert_eq!(
            (none.exit, &none.error["code"]),
            (3, &"session.not_found".into())
        );
        let both = carrel.run(&["sessions", verb, &first[..6]]).await;
        assert_eq!(
            (both.exit, &both.error["code"]),
            (4, &"session.ambiguous".into())
        );
        let next = both.error["next"].as_str().unwrap();
        assert!(next.contains(&first) && next.contains(&second), "{next}");
        assert_eq!(carrel.run(&["sessions", verb, NOBODY]).await.exit, 3);
    }
}

/// What the terminal process and the worker would leave: four denials, two attaches, one detach
/// and a signal.
async fn visit(pool: &PgPool, id: &str) {
    sqlx::query!(
        "INSERT INTO access_log (session_id, user_id, role, action, allowed, code, detail, epoch)
         SELECT $1::text::uuid, user_id, 'candidate', action, allowed, code, detail, epoch
         FROM (VALUES (1, 'u-2', 'view', false, 'access.denied', 'the session belongs to somebody else', NULL::bigint),
                      (2, 'u-2', 'view', false, 'access.denied', 'the session belongs to somebody else', NULL),
                      (3, 'u-2', 'view', false, 'access.denied', 'the session belongs to somebody else', NULL),
                      (4, 'u-1', 'attach', true, NULL, NULL, 1),
                      (5, 'u-1', 'attach', true, NULL, NULL, 2),
                      (6, 'u-2', 'attach', false, 'access.denied', 'unknown', NULL))
             AS line (place, user_id, action, allowed, code, detail, epoch)
         ORDER BY place",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO terminal_attachments
             (session_id, epoch, process_id, login_id, opened_at, detached_at, close_code)
         SELECT $1::text::uuid, epoch, gen_random_uuid(), 'l', now,
                CASE WHEN code IS NOT NULL THEN now END, code
         FROM (VALUES (1, 4009), (2, NULL)) AS row (epoch, code), clock_timestamp() AS now",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query!(
        "UPDATE execution_environments
         SET version = version + 1,
             last_signal = jsonb_build_object('code', 'infra.capacity', 'attempt', 1, 'detail', 'no room',
                                              'since', clock_timestamp(), 'at', clock_timestamp())
         WHERE session_id = $1::text::uuid",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn explain_joins_all_that_is_on_record_and_show_stays_short(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    visit(&pool, &id).await;
    let story = carrel.data(&["sessions", "show", &id]).await;
    let job = story["jobs"][0]["id"].as_str().unwrap();
    let by = ["--reason", "INC-7", "--as", "dana"];
    carrel
        .data(&[&["jobs", "cancel", job, "--yes"], &by[..]].concat())
        .await;

    let short = carrel.data(&["sessions", "show", &id]).await;
    assert_eq!(happenings(&short).len(), 5, "{short:#}");
    let whole = carrel.data(&["sessions", "explain", &id]).await;
    assert_eq!(
        happenings(&whole),
        [
            "created",
            "initializing",
            "ready",
            "running",
            "view denied",
            "attached",
            "attached",
            "attach denied",
            "detached",
            "last signal",
            "job provision_environment",
            "job.cancel",
        ]
    );
    let event = |place: usize| &whole["timeline"][place];
    let times = event(4)["details"][2].as_str().unwrap();
    assert!(times.starts_with("3 times until "), "{times}");
    assert_eq!(event(4)["actor"], "candidate:u-2");
    assert_eq!(event(6)["details"][1], "epoch 1 may write no more");
    assert_eq!(event(8)["details"][1], "superseded");
    assert_eq!(event(9)["details"][0], "infra.capacity");
    assert_eq!(event(11)["actor"], "staff:dana");
    assert_eq!(whole["terminal"]["epoch"], 2);
    assert_eq!(whole["attachments"].as_array().unwrap().len(), 2);
    assert_eq!(whole["interruptions"]["owed_seconds"], 0);
    assert_eq!(whole["access"].as_array().unwrap().len(), 4);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_explanation_for_people_is_one_line_a_moment(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    visit(&pool, &id).await;
    let told = carrel
        .lines(&["sessions", "explain", &id, "-o", "text"])
        .await;
    assert_eq!(told.exit, 0);
    let moments: Vec<_> = told.all.iter().filter_map(|line| moment(line)).collect();
    assert_eq!(
        moments,
        [
            "cli created requested",
            "cli job provision_environment waiting · due TIME",
            "cli initializing cli:transition",
            "cli ready SECONDS s since request",
            "cli running first attach",
            "candidate:u-2 view denied access.denied · the session belongs to somebody else · 3 times until TIME",
            "candidate:u-1 attached epoch 1",
            "candidate:u-1 attached epoch 2 · epoch 1 may write no more",
            "candidate:u-2 attach denied access.denied · unknown",
            "- detached epoch 1 · superseded",
            "runtime last signal infra.capacity · no room · attempt 1",
        ]
    );
}

/// What follows the time and the offset on a line of the timeline, in single spaces.
fn moment(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("  +")?;
    let (_, rest) = rest.split_once("  ")?;
    let words: Vec<_> = rest.split_whitespace().map(redacted).collect();
    Some(words.join(" "))
}

fn redacted(word: &str) -> &str {
    let is_number = word.starts_with(|first: char| first.is_ascii_digit());
    match (is_number, word.contains(':'), word.contains('.')) {
        (true, true, _) => "TIME",
        (true, false, true) => "SECONDS",
        _ => word,
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn events_are_the_whole_story_a_line_each_and_an_end(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    visit(&pool, &id).await;
    let lines = carrel.lines(&["sessions", "events", &id]).await;
    let events = lines.data("orchestrator/sessions-event.v1");
    let whole = carrel.data(&["sessions", "explain", &id]).await;
    assert_eq!(&Value::Array(events.clone()), &whole["timeline"]);
    let end = lines.last();
    assert_eq!(
        (&end["events"], &end["over"]),
        (&events.len().into(), &false.into())
    );

    let since = events[4]["at"].as_str().unwrap();
    let later = carrel
        .lines(&["sessions", "events", &id, "--since", since])
        .await;
    let later = later.data("orchestrator/sessions-event.v1");
    assert_eq!(ids(&later), ids(&events)[4..]);
    assert_eq!(carrel.lines(&["sessions", "events", NOBODY]).await.exit, 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn following_ends_when_the_environment_is_gone(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let follow = ["sessions", "events", &id, "--follow"];
    let (lines, ()) = tokio::join!(carrel.lines(&follow), async {
        fail(&carrel, &id, "infra.node_lost").await;
        remove(&pool, &id).await;
    });
    assert_eq!((lines.exit, &lines.last()["over"]), (0, &true.into()));
    let events = lines.data("orchestrator/sessions-event.v1");
    assert_eq!(events.last().unwrap()["what"], "environment gone");
    let mut once = ids(&events);
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), events.len(), "each is told once: {events:#?}");
}

/// Records the environment as gone, as a worker would.
async fn remove(pool: &PgPool, id: &str) {
    sqlx::query!(
        "UPDATE execution_environments
         SET state = 'gone', destroying_at = now(), gone_at = now(), version = version + 1
         WHERE session_id = $1::text::uuid",
        id,
    )
    .execute(pool)
    .await
    .unwrap();
}
