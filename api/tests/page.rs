//! The candidate's page and the headers every answer carries.

mod support;

use reqwest::Method;
use sqlx::PgPool;
use support::{Answer, TestApi};

const EXAM: &str = "/exam/01982f6e-0000-7000-8000-000000000000";

fn built_page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("assets")).expect("a folder");
    for (name, text) in [
        ("index.html", "<!doctype html><title>Exam</title>"),
        ("replay.html", "<!doctype html><title>Recording</title>"),
        ("player.html", "<!doctype html><title>Player</title>"),
        ("assets/main-3f9c1a.js", "export {}"),
        ("icon.svg", "<svg/>"),
        ("secret.env", "KEY=1"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_exam_s_address_is_the_same_document_and_is_never_cached(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    for path in [EXAM, "/exam/anything"] {
        let answer = Answer::of(api.request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.contains("<title>Exam</title>"));
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert!(answer.header("content-type").starts_with("text/html"));
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn built_assets_are_cached_for_ever_and_nothing_else_is_served(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    let get = |path: &str| Answer::of(api.request(Method::GET, path));
    let asset = get("/assets/main-3f9c1a.js").await;
    assert_eq!(asset.status, 200);
    assert_eq!(
        asset.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert!(asset.header("content-type").contains("javascript"));
    let icon = get("/icon.svg").await;
    assert_eq!(
        (icon.status, icon.header("cache-control")),
        (200, "no-cache")
    );
    for path in [
        "/assets/missing.js",
        "/assets/",
        "/assets/../secret.env",
        "/assets/..%2fsecret.env",
        "/assets/%2e%2e/secret.env",
        "/secret.env",
        "/missing.svg",
        "/index.html",
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(!answer.text.contains("KEY=1"), "{path}");
        assert!(
            !answer.header("cache-control").contains("immutable"),
            "{path}"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_without_a_page_says_so(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let answer = Answer::of(api.request(Method::GET, EXAM)).await;
    answer.assert_problem(404, "route.unknown");
    assert!(
        answer.json()["next"]
            .as_str()
            .unwrap()
            .contains("--page-dir")
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_page_runs_under_a_policy_that_reaches_the_terminal_only(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    let answer = Answer::of(api.request(Method::GET, EXAM)).await;
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src-elem 'self' 'unsafe-inline'",
        "style-src-attr 'none'",
        "connect-src 'self' http://127.0.0.1:8081 ws://127.0.0.1:8081",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    ] {
        assert!(policy.contains(part), "{part} is missing in {policy}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_answer_carries_the_security_headers_and_a_request_id(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    let mut ids = std::collections::HashSet::new();
    for path in [
        EXAM,
        "/assets/main-3f9c1a.js",
        "/livez",
        "/v1/sessions/x",
        "/nowhere",
        "/docs/",
    ] {
        let answer = Answer::of(api.request(Method::GET, path)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            ids.insert(answer.header("x-request-id").to_owned()),
            "{path}"
        );
    }
    let forged = api
        .request(Method::GET, "/livez")
        .header("x-request-id", "forged");
    assert_ne!(Answer::of(forged).await.header("x-request-id"), "forged");
}

#[tokio::test]
async fn a_folder_without_a_page_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = carrel_api::ApiConfig {
        pool: PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap(),
        listening: PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap(),
        tokens: environment_access::TokenConfig::development(support::tokens::SECRET.into()),
        listen: ([127, 0, 0, 1], 0).into(),
        admin_listen: ([127, 0, 0, 1], 0).into(),
        page_dir: Some(folder.path().to_owned()),
        page_origins: Vec::new(),
        terminal_url: "http://127.0.0.1:8081".parse().unwrap(),
    };
    let metrics = telemetry::MetricsHandle::install().unwrap();
    let error = carrel_api::Api::build(config, metrics)
        .await
        .expect_err("no index.html");
    assert!(error.to_string().contains("CARREL_PAGE_DIR"), "{error}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_a_frame_without_an_origin_may_compile_the_player_of_recordings(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    let replay = EXAM.replace("/exam/", "/replay/");
    let answer = Answer::of(api.request(Method::GET, &replay)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("<title>Recording</title>"));
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("frame-src 'self';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none';"), "{policy}");
    assert!(!policy.contains("wasm-unsafe-eval"), "{policy}");
    let player = Answer::of(api.request(Method::GET, "/replay/player")).await;
    assert_eq!(player.status, 200);
    assert!(player.text.contains("<title>Player</title>"));
    let policy = player.header("content-security-policy");
    assert!(policy.starts_with("sandbox allow-scripts;"), "{policy}");
    assert!(policy.contains("'wasm-unsafe-eval'"), "{policy}");
    assert!(policy.contains("connect-src data:;"), "{policy}");
    let exam = Answer::of(api.request(Method::GET, EXAM)).await;
    let policy = exam.header("content-security-policy");
    assert!(!policy.contains("wasm-unsafe-eval"), "{policy}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_frame_without_an_origin_may_load_the_built_files_and_nothing_else(pool: PgPool) {
    let folder = built_page();
    let api = TestApi::start_with_page(&pool, Some(folder.path().to_owned())).await;
    let asset = Answer::of(api.request(Method::GET, "/assets/main-3f9c1a.js")).await;
    assert_eq!(asset.status, 200);
    assert_eq!(asset.header("access-control-allow-origin"), "*");
    for path in [EXAM, "/v1/page-config", "/replay/player"] {
        let answer = Answer::of(api.request(Method::GET, path)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
