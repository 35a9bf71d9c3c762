//! Who is let in, with what, from where.

mod support;

use reqwest::Method;
use serde_json::json;
use session_identity::Role;
use sqlx::PgPool;
use support::{Answer, PAGE, TestApi, exams, rows, tokens};

const UNKNOWN: &str = "/v1/sessions/01982f6e-0000-7000-8000-000000000000";

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_bad_token_is_answered_alike_as_bearer_as_cookie_and_at_login(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    for (what, token) in tokens::bad() {
        let bearer = Answer::of(api.request(Method::GET, UNKNOWN).bearer_auth(&token)).await;
        bearer.assert_problem(401, "login.required");
        assert_eq!(bearer.header("www-authenticate"), "Bearer", "{what}");
        let cookie = api
            .request(Method::GET, UNKNOWN)
            .header("cookie", format!("carrel_login={token}"));
        Answer::of(cookie)
            .await
            .assert_problem(401, "login.required");
        let login = api
            .request(Method::POST, "/v1/login")
            .json(&json!({"token": token}));
        let login = Answer::of(login).await;
        login.assert_problem(401, "login.required");
        assert_eq!(login.header("set-cookie"), "", "{what}");
        assert_eq!(login.json()["detail"], bearer.json()["detail"], "{what}");
        assert!(
            token.len() < 10 || !login.text.contains(&token),
            "{what}: the token is told back"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_bad_bearer_is_not_made_good_by_a_cookie(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let good = format!("carrel_login={}", tokens::valid("u-1", Role::Operator));
    for authorization in ["Bearer nonsense", "Basic dTpw", "Bearer", "nonsense"] {
        let request = api.request(Method::GET, UNKNOWN).header("cookie", &good);
        let answer = Answer::of(request.header("authorization", authorization)).await;
        answer.assert_problem(401, "login.required");
    }
    let twice = api.request(Method::GET, UNKNOWN);
    let twice = twice.bearer_auth(tokens::valid("u-1", Role::Operator));
    let twice = twice.header("authorization", "Bearer other");
    Answer::of(twice)
        .await
        .assert_problem(401, "login.required");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_login_becomes_a_cookie_that_scripts_cannot_read(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let body = json!({"token": tokens::valid("u-1", Role::Candidate)});
    let login = api
        .request(Method::POST, "/v1/login")
        .header("origin", PAGE)
        .json(&body);
    let login = Answer::of(login).await;
    assert_eq!(login.status, 204, "{}", login.text);
    let cookie = login.header("set-cookie").to_owned();
    for part in [
        "carrel_login=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=",
        "Secure",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap().to_owned();
    let read = api
        .request(Method::GET, &format!("/v1/sessions/{session}"))
        .header("cookie", pair);
    assert_eq!(Answer::of(read).await.status, 200);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_login_over_plain_http_is_not_marked_secure_or_browsers_would_drop_it(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let body = json!({"token": tokens::valid("u-1", Role::Candidate)});
    let answer = Answer::of(api.request(Method::POST, "/v1/login").json(&body)).await;
    assert_eq!(answer.status, 204);
    assert!(!answer.header("set-cookie").contains("Secure"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_logout_takes_the_cookie_back(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let logout = api.request(Method::POST, "/v1/logout");
    Answer::of(logout)
        .await
        .assert_field(403, "origin.not_allowed", "Origin");
    let logout = api
        .request(Method::POST, "/v1/logout")
        .header("origin", PAGE);
    let answer = Answer::of(logout).await;
    assert_eq!(answer.status, 204);
    assert!(
        answer.header("set-cookie").contains("Max-Age=0"),
        "{}",
        answer.header("set-cookie")
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_write_with_the_cookie_needs_the_exact_origin_and_a_read_needs_none(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let before = rows::count(&pool).await;
    let cookie = format!("carrel_login={}", tokens::valid("u-1", Role::Candidate));
    let path = format!("/v1/sessions/{session}/terminate");
    let terminate = || {
        api.request(Method::POST, &path)
            .header("cookie", &cookie)
            .json(&json!({}))
    };
    Answer::of(terminate())
        .await
        .assert_field(403, "origin.not_allowed", "Origin");
    for origin in [
        "null",
        "http://exam.example",
        "https://exam.example:443",
        "https://exam.example.evil.test",
        "https://sub.exam.example",
        "https://EXAM.example",
        "https://exam.example/",
    ] {
        let answer = Answer::of(terminate().header("origin", origin)).await;
        answer.assert_field(403, "origin.not_allowed", "Origin");
    }
    assert_eq!(rows::count(&pool).await, before);
    let read = api.request(Method::GET, &format!("/v1/sessions/{session}"));
    assert_eq!(Answer::of(read.header("cookie", &cookie)).await.status, 200);
    assert_eq!(
        Answer::of(terminate().header("origin", PAGE)).await.status,
        202
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_foreign_page_cannot_log_a_browser_in(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let body = json!({"token": tokens::valid("u-1", Role::Candidate)});
    let login = api
        .request(Method::POST, "/v1/login")
        .header("origin", "https://evil.test");
    let answer = Answer::of(login.json(&body)).await;
    answer.assert_field(403, "origin.not_allowed", "Origin");
    assert_eq!(answer.header("set-cookie"), "");
}
