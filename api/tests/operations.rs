//! Probes, metrics, the document and its page.

mod support;

use reqwest::Method;
use serde_json::Value;
use sqlx::PgPool;
use support::{Answer, TestApi, exams};

async fn admin(api: &TestApi, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{}{path}", api.admin))
        .await
        .expect("it answers");
    (
        response.status().as_u16(),
        response.text().await.expect("text"),
    )
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_with_its_database_is_live_and_ready_on_both_ports(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            Answer::of(api.request(Method::GET, path)).await.status,
            200,
            "{path}"
        );
        assert_eq!(admin(&api, path).await.0, 200, "{path}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schema_that_lacks_a_migration_is_not_ready_and_says_which(pool: PgPool) {
    let forget =
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::raw_sql(forget).execute(&pool).await.unwrap();
    let api = TestApi::start(&pool).await;
    let answer = Answer::of(api.request(Method::GET, "/readyz")).await;
    answer.assert_problem(503, "service.unavailable");
    assert!(answer.text.contains("carrel migrate"), "{}", answer.text);
    assert_eq!(admin(&api, "/readyz").await.0, 503);
    assert_eq!(
        Answer::of(api.request(Method::GET, "/livez")).await.status,
        200
    );
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_is_not_ready(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let answer = Answer::of(api.request(Method::GET, "/readyz")).await;
    answer.assert_problem(503, "service.unavailable");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_newer_schema_is_compatible(pool: PgPool) {
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (99991231000000, 'later', true, '\\x00', 0)";
    sqlx::raw_sql(newer).execute(&pool).await.unwrap();
    let api = TestApi::start(&pool).await;
    assert_eq!(
        Answer::of(api.request(Method::GET, "/readyz")).await.status,
        200
    );
}

#[tokio::test]
async fn without_a_database_the_process_lives_says_so_and_asks_to_come_back() {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_millis(300))
        .connect_lazy("postgres://nobody@127.0.0.1:1/none")
        .unwrap();
    let api = TestApi::start(&pool).await;
    assert_eq!(
        Answer::of(api.request(Method::GET, "/livez")).await.status,
        200
    );
    let ready = Answer::of(api.request(Method::GET, "/readyz")).await;
    ready.assert_problem(503, "service.unavailable");
    assert!(
        !ready.text.contains("127.0.0.1"),
        "the public port names no host: {}",
        ready.text
    );
    let session = "/v1/sessions/01982f6e-0000-7000-8000-000000000000";
    let read = api.as_user(
        Method::GET,
        session,
        "u-1",
        session_identity::Role::Candidate,
    );
    let read = Answer::of(read).await;
    read.assert_problem(503, "service.unavailable");
    assert_eq!(read.header("retry-after"), "1");
    let (status, metrics) = admin(&api, "/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.contains("carrel_service_gauges_up"), "{metrics}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn metrics_are_on_the_admin_port_alone_and_hold_no_ids(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-metrics").await;
    let path = format!("/v1/sessions/{session}");
    Answer::of(api.request(Method::GET, &path)).await;
    Answer::of(api.request(Method::GET, "/metrics"))
        .await
        .assert_problem(404, "route.unknown");
    let (_, metrics) = admin(&api, "/metrics").await;
    for part in [
        r#"carrel_sessions{state="created"}"#,
        r#"carrel_sessions{state="running"}"#,
        r#"carrel_environments{state="up"}"#,
        "carrel_oldest_teardown_seconds 0",
        r#"carrel_cleanups_blocked{cause="node_lost"} 0"#,
        "carrel_oldest_ready_job_seconds{queue=",
        r#"route="/v1/sessions/{session_id}",status="401""#,
    ] {
        assert!(metrics.contains(part), "{part} is missing in {metrics}");
    }
    assert!(
        !metrics.contains(&session) && !metrics.contains("u-metrics"),
        "{metrics}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_page_s_configuration_names_the_terminal_process(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let answer = Answer::of(api.request(Method::GET, "/v1/page-config")).await;
    assert_eq!(answer.json()["terminal_url"], "http://127.0.0.1:8081");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_document_is_served_and_browsable_without_a_foreign_server(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    let document = Answer::of(api.request(Method::GET, "/openapi.json")).await;
    assert_eq!(document.status, 200);
    assert!(
        document.json()["openapi"]
            .as_str()
            .unwrap()
            .starts_with("3.")
    );
    let redirect = Answer::of(api.request(Method::GET, "/docs")).await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (308, "/docs/")
    );
    let page = Answer::of(api.request(Method::GET, "/docs/")).await;
    assert_eq!(page.status, 200);
    assert!(
        !page.text.contains("//cdn") && !page.text.contains("https://"),
        "{}",
        page.text
    );
    let script = Answer::of(api.request(Method::GET, "/docs/swagger-initializer.js")).await;
    assert!(script.text.contains("/openapi.json"), "{}", script.text);
    Answer::of(api.request(Method::GET, "/docs/nothing.js"))
        .await
        .assert_problem(404, "route.unknown");
}

#[test]
fn the_document_in_the_repository_is_the_generated_one() {
    let kept = include_str!("../openapi.json");
    let generated = carrel_api::document_json();
    let (kept, generated): (Value, Value) = (
        serde_json::from_str(kept).unwrap(),
        serde_json::from_str(&generated).unwrap(),
    );
    if kept != generated {
        let renewed = concat!(env!("CARGO_TARGET_TMPDIR"), "/openapi.json");
        std::fs::write(renewed, carrel_api::document_json()).unwrap();
        panic!("api/openapi.json is not the generated document; read and copy {renewed}");
    }
}

#[test]
fn every_operation_tells_its_login_its_refusals_and_its_purpose() {
    let document: Value = serde_json::from_str(&carrel_api::document_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 11, "{:?}", paths.keys());
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name}");
            assert!(operation["operationId"].is_string(), "{name}");
            if path.starts_with("/v1/sessions") {
                for status in ["401", "503"] {
                    assert!(
                        operation["responses"][status].is_object(),
                        "{name} {status}"
                    );
                }
                assert_eq!(operation["security"].as_array().unwrap().len(), 2, "{name}");
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) {
                    assert!(
                        answer["content"]["application/problem+json"].is_object(),
                        "{name}"
                    );
                }
            }
        }
    }
}
