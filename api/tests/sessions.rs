//! Requesting, reading, ending and extending a session.

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use session_identity::Role;
use sqlx::PgPool;
use support::{Answer, TestApi, exams, rows};

fn body(user: &str) -> Value {
    json!({"user_id": user, "exam": exams::NAME})
}

async fn create_with_key(api: &TestApi, key: &str, body: &Value) -> Answer {
    let request = api.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service);
    Answer::of(request.header("idempotency-key", key).json(body)).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_is_created_with_its_job_and_can_be_fetched(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let created = api.create(&body("u-1042")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let document = created.json();
    assert_eq!(document["state"], "created");
    assert_eq!(document["user_id"], "u-1042");
    assert_eq!(document["exam"]["version"], 1);
    let id = document["session_id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/v1/sessions/{id}"));
    assert_eq!(
        created.header("etag"),
        format!("\"{}\"", document["revision"])
    );
    let counts = rows::count(&pool).await;
    assert_eq!(
        (counts.sessions, counts.environments, counts.transitions),
        (1, 1, 1)
    );
    assert_eq!(
        counts.jobs, 1,
        "the job that prepares it, of the same transaction"
    );
    for (user, role) in [
        ("u-1042", Role::Candidate),
        ("dana", Role::Operator),
        ("enrol", Role::Service),
        ("ina", Role::Invigilator),
    ] {
        let read = api.as_user(Method::GET, created.header("location"), user, role);
        let read = Answer::of(read).await;
        assert_eq!(read.status, 200, "{role:?}: {}", read.text);
        assert_eq!(read.json()["session_id"], id);
        assert_eq!(read.header("cache-control"), "private, no-cache");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_same_key_with_the_same_body_is_the_same_session(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let first = create_with_key(&api, "enrol-1", &body("u-1")).await;
    let second = create_with_key(&api, "enrol-1", &body("u-1")).await;
    assert_eq!((first.status, second.status), (201, 200), "{}", second.text);
    assert_eq!(first.json()["session_id"], second.json()["session_id"]);
    assert_eq!(rows::count(&pool).await.sessions, 1);
    assert_eq!(rows::count(&pool).await.jobs, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_same_key_is_the_same_session_after_it_has_ended_too(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let first = create_with_key(&api, "enrol-1", &body("u-1")).await.json();
    exams::end(&pool, first["session_id"].as_str().unwrap()).await;
    let second = create_with_key(&api, "enrol-1", &body("u-1")).await;
    assert_eq!(second.status, 200, "{}", second.text);
    assert_eq!(second.json()["session_id"], first["session_id"]);
    assert_eq!(second.json()["state"], "terminated");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_same_key_with_another_body_is_a_conflict_and_writes_nothing(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    create_with_key(&api, "enrol-1", &body("u-1")).await;
    let before = rows::count(&pool).await;
    let answer = create_with_key(&api, "enrol-1", &body("u-2")).await;
    answer.assert_problem(409, "idempotency.key_reused");
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keys_of_different_callers_do_not_meet(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    create_with_key(&api, "same", &body("u-1")).await;
    let other = api.as_user(Method::POST, "/v1/sessions", "other", Role::Service);
    let other = Answer::of(other.header("idempotency-key", "same").json(&body("u-2"))).await;
    assert_eq!(other.status, 201, "{}", other.text);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_live_session_of_the_same_candidate_and_exam_is_found_not_doubled(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let first = api.create(&body("u-1")).await;
    let second = api.create(&body("u-1")).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json()["session_id"], second.json()["session_id"]);
    exams::end(&pool, first.json()["session_id"].as_str().unwrap()).await;
    let third = api.create(&body("u-1")).await;
    assert_eq!(third.status, 201, "a new one, once the first is over");
    assert_ne!(first.json()["session_id"], third.json()["session_id"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn sixteen_requests_at_once_make_one_session(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let wanted = body("u-1");
    let requests = (0..16).map(|_| api.create(&wanted));
    let answers = futures_util::future::join_all(requests).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 200 | 201)),
        "{answers:?}"
    );
    assert_eq!(rows::count(&pool).await.sessions, 1);
    assert_eq!(rows::count(&pool).await.jobs, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_services_and_operators_request_sessions(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let before = rows::count(&pool).await;
    for role in [Role::Candidate, Role::Invigilator] {
        let request = api
            .as_user(Method::POST, "/v1/sessions", "u-1", role)
            .json(&body("u-1"));
        Answer::of(request)
            .await
            .assert_problem(403, "role.not_permitted");
    }
    assert_eq!(rows::count(&pool).await, before);
    let request = api.as_user(Method::POST, "/v1/sessions", "dana", Role::Operator);
    assert_eq!(Answer::of(request.json(&body("u-1"))).await.status, 201);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_unknown_exam_or_version_names_its_field(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let before = rows::count(&pool).await;
    let answer = api
        .create(&json!({"user_id": "u-1", "exam": "linux-fundmentals"}))
        .await;
    answer.assert_field(422, "exam.unknown", "exam");
    let version = json!({"user_id": "u-1", "exam": exams::NAME, "exam_version": 99});
    api.create(&version)
        .await
        .assert_field(422, "exam.unknown", "exam_version");
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_is_requested_within_its_window_only(pool: PgPool) {
    let early = json!({"kind": "window", "starts_at": "2199-01-01T00:00:00Z",
                       "ends_at": "2199-01-01T02:00:00Z"});
    exams::apply_as(&pool, "early", &early).await;
    let over = json!({"kind": "window", "ends_at": "2199-01-01T02:00:00Z"});
    exams::apply_as(&pool, "over", &over).await;
    // What two centuries do: a window that has passed cannot be applied.
    let passes = r#"ALTER TABLE exams DISABLE TRIGGER exams_immutable;
        UPDATE exams SET definition =
            jsonb_set(definition, '{clock,ends_at}', '"1999-01-01T02:00:00Z"')
        WHERE name = 'over'"#;
    sqlx::raw_sql(passes).execute(&pool).await.unwrap();
    let api = TestApi::start(&pool).await;
    let answer = api.create(&json!({"user_id": "u-1", "exam": "over"})).await;
    answer.assert_problem(409, "exam.window_closed");
    let answer = api
        .create(&json!({"user_id": "u-1", "exam": "early"}))
        .await;
    answer.assert_problem(409, "exam.window_not_open");
    assert_eq!(rows::count(&pool).await.sessions, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_revision_already_held_is_not_sent_again(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let path = format!("/v1/sessions/{session}");
    let read = || api.as_user(Method::GET, &path, "u-1", Role::Candidate);
    let etag = Answer::of(read()).await.header("etag").to_owned();
    for held in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"0\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = Answer::of(read().header("if-none-match", &held)).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{held}");
        assert_eq!(answer.header("etag"), etag);
    }
    exams::run(&pool, &session).await;
    let answer = Answer::of(read().header("if-none-match", &etag)).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("etag"), etag);
    let answer = Answer::of(read().header("if-none-match", "unquoted")).await;
    answer.assert_field(400, "request.header_invalid", "If-None-Match");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_staff_and_services_may_end_a_session(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let askers = [
        ("u-1", Role::Candidate),
        ("dana", Role::Operator),
        ("enrol", Role::Service),
    ];
    for (index, (user, role)) in askers.into_iter().enumerate() {
        let owner = if role == Role::Candidate {
            user.to_owned()
        } else {
            format!("c-{index}")
        };
        let session = api.session_of(&owner).await;
        let jobs = rows::count(&pool).await.jobs;
        let path = format!("/v1/sessions/{session}/terminate");
        let request = api.as_user(Method::POST, &path, user, role);
        let answer = Answer::of(request.json(&json!({"reason": "done"}))).await;
        assert_eq!(answer.status, 202, "{role:?}: {}", answer.text);
        assert_eq!(answer.json()["session_id"], session);
        assert_eq!(
            rows::count(&pool).await.jobs,
            jobs + 1,
            "the job that ends it"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn ending_twice_before_a_worker_came_enqueues_once(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let path = format!("/v1/sessions/{session}/terminate");
    for _ in 0..2 {
        let request = api
            .as_user(Method::POST, &path, "u-1", Role::Candidate)
            .json(&json!({}));
        assert_eq!(Answer::of(request).await.status, 202);
    }
    assert_eq!(
        rows::count(&pool).await.jobs,
        2,
        "one to prepare, one to end"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_ended_session_is_not_ended_or_extended_again(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    exams::end(&pool, &session).await;
    let before = rows::count(&pool).await;
    let path = format!("/v1/sessions/{session}/terminate");
    let request = api
        .as_user(Method::POST, &path, "u-1", Role::Candidate)
        .json(&json!({}));
    Answer::of(request)
        .await
        .assert_problem(410, "session.ended");
    Answer::of(extend(
        &api,
        &session,
        "k",
        &json!({"by_seconds": 60, "reason": "r"}),
    ))
    .await
    .assert_problem(410, "session.ended");
    assert_eq!(rows::count(&pool).await, before);
}

fn extend(api: &TestApi, session: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
    let path = format!("/v1/sessions/{session}/extend");
    let request = api.as_user(Method::POST, &path, "dana", Role::Operator);
    request.header("idempotency-key", key).json(body)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_moves_the_end_once_per_key(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    exams::run(&pool, &session).await;
    let wanted = json!({"by_seconds": 600, "reason": "INC-7"});
    let first = Answer::of(extend(&api, &session, "inc-7", &wanted)).await;
    let again = Answer::of(extend(&api, &session, "inc-7", &wanted)).await;
    assert_eq!(
        (first.status, again.status),
        (202, 202),
        "{} {}",
        first.text,
        again.text
    );
    assert_eq!(first.json()["extended_ms"], 600_000);
    assert_eq!(first.json()["ends_at"], again.json()["ends_at"]);
    assert_eq!(rows::count(&pool).await.extensions, 1);
    let other = json!({"by_seconds": 60, "reason": "INC-7"});
    let other = Answer::of(extend(&api, &session, "inc-7", &other)).await;
    other.assert_problem(409, "idempotency.key_reused");
    assert_eq!(rows::count(&pool).await.extensions, 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_extension_without_a_deadline_or_beyond_the_cap_is_refused(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let wanted = json!({"by_seconds": 60, "reason": "early"});
    let early = Answer::of(extend(&api, &session, "k", &wanted)).await;
    early.assert_problem(409, "session.no_deadline_yet");
    exams::run(&pool, &session).await;
    let beyond = json!({"by_seconds": 86_400, "reason": "a day"});
    let beyond = Answer::of(extend(&api, &session, "k", &beyond)).await;
    beyond.assert_problem(409, "extension.beyond_cap");
    assert_eq!(rows::count(&pool).await.extensions, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn candidates_and_invigilators_cannot_extend_and_learn_nothing(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    exams::run(&pool, &session).await;
    let path = format!("/v1/sessions/{session}/extend");
    let wanted = json!({"by_seconds": 60, "reason": "please"});
    for (user, role) in [("u-1", Role::Candidate), ("ina", Role::Invigilator)] {
        let request = api
            .as_user(Method::POST, &path, user, role)
            .header("idempotency-key", "k");
        Answer::of(request.json(&wanted))
            .await
            .assert_problem(404, "session.not_available");
    }
    assert_eq!(rows::count(&pool).await.extensions, 0);
}
