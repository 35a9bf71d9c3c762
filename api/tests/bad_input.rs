//! Every field of every request, wrong in every way: a problem that names it, and nothing written.

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use session_identity::Role;
use sqlx::PgPool;
use support::{Answer, TestApi, exams, rows, tokens};

/// A body, the status, the code, and the field named.
type Case = (Value, u16, &'static str, &'static str);

fn create_cases() -> Vec<Case> {
    let with = |field: &str, value: Value| {
        let mut body = json!({"user_id": "u-1", "exam": exams::NAME});
        body[field] = value;
        body
    };
    let invalid = |field: &'static str, value: Value| {
        (with(field, value), 422, "request.field_invalid", field)
    };
    vec![
        (
            json!({"exam": exams::NAME}),
            422,
            "request.field_missing",
            "user_id",
        ),
        (
            json!({"user_id": "u-1"}),
            422,
            "request.field_missing",
            "exam",
        ),
        (
            with("user_id", Value::Null),
            422,
            "request.field_missing",
            "user_id",
        ),
        (
            with("exam", Value::Null),
            422,
            "request.field_missing",
            "exam",
        ),
        (
            with("colour", json!("red")),
            422,
            "request.field_unknown",
            "colour",
        ),
        invalid("user_id", json!("")),
        invalid("user_id", json!("u".repeat(129))),
        invalid("user_id", json!("u 1")),
        invalid("user_id", json!("ü-1")),
        invalid("user_id", json!("u\u{0}1")),
        invalid("user_id", json!("../etc")),
        invalid("user_id", json!(1042)),
        invalid("user_id", json!(["u-1"])),
        invalid("user_id", json!({"id": "u-1"})),
        invalid("exam", json!("")),
        invalid("exam", json!("x".repeat(64))),
        invalid("exam", json!("Linux")),
        invalid("exam", json!("-linux")),
        invalid("exam", json!("linux-")),
        invalid("exam", json!("linux'; DROP TABLE exams; --")),
        invalid("exam", json!(true)),
        invalid("exam_version", json!(0)),
        invalid("exam_version", json!(-1)),
        invalid("exam_version", json!(1.5)),
        invalid("exam_version", json!("1")),
        invalid("exam_version", json!(4_294_967_296_u64)),
    ]
}

fn extend_cases() -> Vec<Case> {
    let with = |field: &str, value: Value| {
        let mut body = json!({"by_seconds": 60, "reason": "INC-7"});
        body[field] = value;
        body
    };
    let invalid = |field: &'static str, value: Value| {
        (with(field, value), 422, "request.field_invalid", field)
    };
    vec![
        (
            json!({"reason": "r"}),
            422,
            "request.field_missing",
            "by_seconds",
        ),
        (
            json!({"by_seconds": 60}),
            422,
            "request.field_missing",
            "reason",
        ),
        (
            with("minutes", json!(1)),
            422,
            "request.field_unknown",
            "minutes",
        ),
        invalid("by_seconds", json!(0)),
        invalid("by_seconds", json!(-60)),
        invalid("by_seconds", json!(86_401)),
        invalid("by_seconds", json!(0.5)),
        invalid("by_seconds", json!("60")),
        invalid("by_seconds", json!(u64::MAX)),
        invalid("reason", json!("")),
        invalid("reason", json!("  ")),
        invalid("reason", json!("x".repeat(501))),
        invalid("reason", json!("nul\u{0}")),
        invalid("reason", json!("two\nlines")),
        invalid("reason", json!(7)),
    ]
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_wrong_field_of_a_session_request_is_named(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let before = rows::count(&pool).await;
    for (body, status, code, field) in create_cases() {
        api.create(&body).await.assert_field(status, code, field);
    }
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_wrong_field_of_an_extension_or_an_end_is_named(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    exams::run(&pool, &session).await;
    let before = rows::count(&pool).await;
    let post = |rest: &str, body: &Value| {
        let path = format!("/v1/sessions/{session}/{rest}");
        let request = api.as_user(Method::POST, &path, "dana", Role::Operator);
        request.header("idempotency-key", "k").json(body)
    };
    for (body, status, code, field) in extend_cases() {
        Answer::of(post("extend", &body))
            .await
            .assert_field(status, code, field);
    }
    for reason in [
        json!(""),
        json!(" "),
        json!("x".repeat(501)),
        json!("a\u{7}"),
        json!(1),
    ] {
        let answer = Answer::of(post("terminate", &json!({"reason": reason}))).await;
        answer.assert_field(422, "request.field_invalid", "reason");
    }
    let answer = Answer::of(post("terminate", &json!({"why": "x"}))).await;
    answer.assert_field(422, "request.field_unknown", "why");
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_wrong_idempotency_key_is_refused(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let body = json!({"user_id": "u-1", "exam": exams::NAME});
    let before = rows::count(&pool).await;
    let create = || {
        api.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service)
            .json(&body)
    };
    for key in ["", "   ", &"k".repeat(256), "tab\there", "ümlaut"] {
        let answer = Answer::of(create().header("idempotency-key", key)).await;
        answer.assert_problem(400, "request.header_invalid");
    }
    let twice = create()
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    Answer::of(twice)
        .await
        .assert_problem(400, "request.header_invalid");
    assert_eq!(rows::count(&pool).await, before);
    let session = api.session_of("u-1").await;
    exams::run(&pool, &session).await;
    let path = format!("/v1/sessions/{session}/extend");
    let without = api.as_user(Method::POST, &path, "dana", Role::Operator);
    let without = without.json(&json!({"by_seconds": 60, "reason": "r"}));
    let answer = Answer::of(without).await;
    answer.assert_field(400, "idempotency.key_missing", "Idempotency-Key");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_body_that_is_no_json_object_is_refused_with_its_position(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let before = rows::count(&pool).await;
    let deep = "[".repeat(5_000);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "\"x\"",
        "{\"exam\":\"a\",}",
        "{'exam':1}",
        deep.as_str(),
    ] {
        let request = api.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
        let answer = Answer::of(request).await;
        answer.assert_problem(400, "request.json_invalid");
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains("line 1 column"),
            "{body}"
        );
    }
    let invalid_utf8 = api.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service);
    let invalid_utf8 = invalid_utf8.header("content-type", "application/json");
    let invalid_utf8 = invalid_utf8.body(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']);
    Answer::of(invalid_utf8)
        .await
        .assert_problem(400, "request.json_invalid");
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_body_of_another_type_or_too_large_is_refused(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let before = rows::count(&pool).await;
    let create = || api.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service);
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
    ] {
        let request = create().header("content-type", media_type).body("{}");
        Answer::of(request)
            .await
            .assert_field(415, "request.content_type", "Content-Type");
    }
    Answer::of(create().body("{}"))
        .await
        .assert_problem(415, "request.content_type");
    let huge = json!({"user_id": "u".repeat(17 * 1024), "exam": "x"});
    Answer::of(create().json(&huge))
        .await
        .assert_problem(413, "request.too_large");
    let parts = vec!["x".repeat(9_000); 2]
        .into_iter()
        .map(Ok::<_, std::io::Error>);
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    let chunked = create()
        .header("content-type", "application/json")
        .body(chunked);
    Answer::of(chunked)
        .await
        .assert_problem(413, "request.too_large");
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_login_body_is_checked_like_any_other_and_never_told_back(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let login = |body: &Value| api.request(Method::POST, "/v1/login").json(body);
    Answer::of(login(&json!({})))
        .await
        .assert_field(422, "request.field_missing", "token");
    let number = Answer::of(login(&json!({"token": 1}))).await;
    number.assert_field(422, "request.field_invalid", "token");
    let secret = tokens::valid("u-1", Role::Candidate);
    let answer = Answer::of(login(&json!({"token": [secret], "other": 1}))).await;
    assert!(!answer.text.contains(&secret), "{}", answer.text);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_path_that_names_no_session_id_is_refused_after_the_login(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    for id in [
        "x",
        "1",
        "01982f6e-0000-7000-8000-00000000000g",
        "%00",
        "..%2f",
        "ü",
    ] {
        let path = format!("/v1/sessions/{id}");
        Answer::of(api.request(Method::GET, &path))
            .await
            .assert_problem(401, "login.required");
        let answer = Answer::of(api.as_user(Method::GET, &path, "u-1", Role::Operator)).await;
        answer.assert_field(400, "request.path_invalid", "session_id");
    }
    let long = format!("/v1/sessions/{}", "a".repeat(4_000));
    let answer = Answer::of(api.as_user(Method::GET, &long, "u-1", Role::Operator)).await;
    answer.assert_field(400, "request.path_invalid", "session_id");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn queries_routes_methods_and_event_ids_that_nobody_knows_are_problems(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let read = |path: &str| api.as_user(Method::GET, path, "u-1", Role::Candidate);
    let answer = Answer::of(read(&format!("/v1/sessions/{session}?token=abc"))).await;
    answer.assert_field(400, "request.query_unknown", "token");
    assert!(
        !answer.text.contains("abc"),
        "a token in a query is not told back"
    );
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/sessions",
        "/v1/session",
        "/metrics",
        "/admin",
    ] {
        Answer::of(read(path))
            .await
            .assert_problem(404, "route.unknown");
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let request = api.as_user(
            method,
            &format!("/v1/sessions/{session}"),
            "u-1",
            Role::Operator,
        );
        let answer = Answer::of(request).await;
        answer.assert_problem(405, "route.method_not_allowed");
        assert_eq!(answer.header("allow"), "GET");
    }
    for id in ["x", "-1", "1.5", "99999999999999999999"] {
        let request = read(&format!("/v1/sessions/{session}/events")).header("last-event-id", id);
        Answer::of(request)
            .await
            .assert_field(400, "request.header_invalid", "Last-Event-ID");
    }
}
