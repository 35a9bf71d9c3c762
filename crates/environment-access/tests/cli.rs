//! The command line's contract: documents, errors, exit codes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::{Command, Output};

use environment_access::{TokenConfig, TokenVerifier};
use serde_json::{Value, json};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use sqlx::{ConnectOptions as _, PgPool};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_environment-access"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn document(output: &Output) -> (Option<i32>, Value) {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one document: {text}");
    (output.status.code(), serde_json::from_str(text).unwrap())
}

fn error(output: &Output) -> (Option<i32>, Value) {
    assert!(output.stdout.is_empty());
    let text = std::str::from_utf8(&output.stderr).unwrap();
    (output.status.code(), serde_json::from_str(text).unwrap())
}

#[test]
fn the_readme_s_examples_are_what_is_answered() {
    trycmd::TestCases::new().case("README.md");
}

#[test]
fn deny_shows_what_any_denied_caller_is_told() {
    let (code, document) = document(&run(&["deny", "--reason", "wrong room"]));
    assert_eq!(code, Some(0));
    let expected = json!({
        "schema": "environment-access/deny.v1",
        "data": {
            "session_id": null, "user_id": null, "reason": "wrong room",
            "code": "access.denied", "recorded": false,
            "public": {
                "status": 404, "code": "session.not_available",
                "detail": "There is no such session for you.",
            },
        },
    });
    assert_eq!(document, expected);
}

#[test]
fn deny_refuses_a_reason_that_is_none() {
    let long = "x".repeat(501);
    for reason in ["", "  ", &long] {
        let (code, error) = error(&run(&["deny", "--reason", reason]));
        assert_eq!(
            (code, &error["field"]),
            (Some(2), &json!("reason")),
            "{error}"
        );
    }
}

#[test]
fn deny_names_a_session_and_a_user_or_neither() {
    let session = ExamSessionId::generate().to_string();
    let (code, _) = error(&run(&["deny", "--reason", "x", "--session-id", &session]));
    assert_eq!(code, Some(2));
}

#[test]
fn a_malformed_id_is_a_usage_error_that_names_the_flag() {
    let (code, error) = error(&run(&[
        "authorize",
        "--session-id",
        "42",
        "--user-id",
        "u-1",
    ]));
    assert_eq!(code, Some(2));
    assert_eq!(error["field"], "session-id", "{error}");
}

#[test]
fn a_malformed_user_is_a_usage_error_that_names_the_flag() {
    let session = ExamSessionId::generate().to_string();
    let (code, error) = error(&run(&[
        "authorize",
        "--session-id",
        &session,
        "--user-id",
        "a b",
    ]));
    assert_eq!(code, Some(2));
    assert_eq!(error["field"], "user-id", "{error}");
}

#[test]
fn an_issued_token_is_accepted_by_a_verifier_with_the_same_secret() {
    let output = run(&[
        "token",
        "issue",
        "--user-id",
        "u-1042",
        "--hs256-secret",
        SECRET,
    ]);
    let (code, document) = document(&output);
    assert_eq!(
        (code, &document["schema"]),
        (Some(0), &json!("environment-access/token.v1"))
    );
    let verifier = TokenVerifier::new(&TokenConfig::development(SECRET.into())).unwrap();
    let principal = verifier
        .verify(document["data"]["token"].as_str().unwrap())
        .unwrap();
    assert_eq!(principal.user_id.as_str(), "u-1042");
    assert_eq!(document["data"]["login_id"], principal.login_id.as_str());
    assert_eq!(document["data"]["expires_in_seconds"], 4 * 3600);
}

#[test]
fn a_token_needs_a_long_secret_and_a_lifetime_and_errors_do_not_repeat_the_secret() {
    let issue = |secret: &str, lifetime: &str| {
        run(&[
            "token",
            "issue",
            "--user-id",
            "u",
            "--hs256-secret",
            secret,
            "--lifetime-seconds",
            lifetime,
        ])
    };
    let (code, short) = error(&issue("short-c4n4ry", "60"));
    assert_eq!(
        (code, &short["field"]),
        (Some(2), &json!("hs256-secret")),
        "{short}"
    );
    assert!(!short.to_string().contains("c4n4ry"));
    let (code, never) = error(&issue(SECRET, "0"));
    assert_eq!(
        (code, &never["field"]),
        (Some(2), &json!("lifetime-seconds")),
        "{never}"
    );
}

#[test]
fn without_a_database_the_error_says_how_to_name_one() {
    let session = ExamSessionId::generate().to_string();
    let (code, error) = error(&run(&[
        "authorize",
        "--session-id",
        &session,
        "--user-id",
        "u",
    ]));
    assert_eq!(code, Some(2));
    assert!(
        error["next"]
            .as_str()
            .unwrap()
            .contains("CARREL_DATABASE_URL"),
        "{error}"
    );
}

/// Requests a session for u-1 that nobody has prepared yet.
async fn request_session(pool: &PgPool) -> ExamSessionId {
    let session = ExamSessionId::generate();
    sqlx::query!(
        "WITH exam AS (
             INSERT INTO exams (name, version, title, definition, digest, applied_by)
             VALUES ('demo', 1, 'Demo', '{}', '\\x00', 'test') RETURNING name, version
         )
         INSERT INTO exam_sessions
             (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
         SELECT $1, 'u-1', $2, name, version, now() + interval '1 minute', now() + interval '1 hour'
         FROM exam",
        session.as_uuid(),
        ExecutionEnvironmentId::generate().as_uuid(),
    )
    .execute(pool)
    .await
    .unwrap();
    session
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn authorize_decides_by_the_row_and_denials_exit_4(pool: PgPool) {
    let url = pool.connect_options().to_url_lossy().to_string();
    let missing = ExamSessionId::generate().to_string();
    let session = request_session(&pool).await.to_string();
    let decide = |session: &str, user: &str, more: &[&str]| {
        let flags = [
            "--database-url",
            &url,
            "authorize",
            "--session-id",
            session,
            "--user-id",
            user,
        ];
        document(&run(&[&flags, more].concat()))
    };
    let (code, view) = decide(&session, "u-1", &["--action", "view"]);
    assert_eq!(
        (code, &view["data"]["allowed"]),
        (Some(0), &json!(true)),
        "{view}"
    );
    let (code, early) = decide(&session, "u-1", &[]);
    assert_eq!(
        (code, &early["data"]["code"]),
        (Some(4), &json!("access.not_ready")),
        "{early}"
    );
    let (code, foreign) = decide(&session, "u-2", &[]);
    assert_eq!(
        (code, &foreign["data"]["code"]),
        (Some(4), &json!("access.denied"))
    );
    let (code, absent) = decide(&missing, "u-2", &[]);
    assert_eq!(
        (code, &absent["data"]["detail"]),
        (Some(4), &json!("the session does not exist"))
    );
    assert_eq!(foreign["data"]["public"], absent["data"]["public"]);
    assert_eq!(foreign["data"]["public"], early["data"]["public"]);

    let flags = [
        "--database-url",
        &url,
        "deny",
        "--reason",
        "left the room",
        "--session-id",
        &session,
    ];
    let (code, denied) = document(&run(&[&flags[..], &["--user-id", "u-1"]].concat()));
    assert_eq!((code, &denied["data"]["recorded"]), (Some(0), &json!(true)));
    let logged = sqlx::query_scalar!("SELECT detail FROM access_log")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(logged.as_deref(), Some("left the room"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn explain_shows_each_fact_the_answer_and_who_came_before(pool: PgPool) {
    let url = pool.connect_options().to_url_lossy().to_string();
    let session = request_session(&pool).await.to_string();
    let explain = |more: &[&str]| {
        let flags = ["--database-url", &url, "explain", "--session-id"];
        document(&run(&[&flags, more].concat()))
    };
    let deny = [
        "--database-url",
        &url,
        "deny",
        "--session-id",
        &session,
        "--user-id",
        "u-2",
    ];
    for reason in ["first", "second", "third"] {
        run(&[&deny[..], &["--reason", reason]].concat());
    }
    let (code, own) = explain(&[&session, "--limit", "2"]);
    let check = |check: &str, passed: bool, needed: Value, found: &str| json!({"check": check, "passed": passed, "needed": needed, "found": found});
    let logged = own["data"]["access_log"].as_array().unwrap();
    let details: Vec<_> = logged.iter().map(|line| &line["detail"]).collect();
    assert_eq!(details, ["third", "second"], "{own}");
    let expected = json!({
        "schema": "environment-access/explain.v1",
        "data": {
            "session_id": session, "user_id": "u-1", "role": "candidate", "action": "attach",
            "allowed": false, "code": "access.not_ready", "detail": "the session is not ready yet",
            "public": {
                "status": 404, "code": "session.not_available",
                "detail": "There is no such session for you.",
            },
            "checks": [
                check("session_exists", true, Value::Null, &session),
                check("role", true, json!("candidate"), "candidate"),
                check("owner", true, json!("u-1"), "u-1"),
                check("state", false, json!("ready or running"), "created"),
                check("before_end", true, json!("an end that is not past"), "the clock has not started"),
            ],
            "terminal": null,
            "access_log": own["data"]["access_log"],
        },
    });
    assert_eq!((code, &own), (Some(0), &expected));

    let (_, foreign) = explain(&[&session, "--user-id", "u-2", "--role", "operator"]);
    let failed = foreign["data"]["checks"].as_array().unwrap().iter();
    let failed: Vec<_> = failed.filter(|check| check["passed"] == false).collect();
    let failed: Vec<_> = failed.iter().map(|check| &check["check"]).collect();
    assert_eq!(failed, ["role", "owner", "state"], "{foreign}");
    assert_eq!(foreign["data"]["code"], "access.denied");
    assert_eq!(foreign["data"]["public"], own["data"]["public"]);

    let missing = ExamSessionId::generate().to_string();
    let (code, missing) = explain(&[&missing]);
    assert_eq!(code, Some(0));
    assert_eq!(missing["data"]["user_id"], Value::Null);
    assert_eq!(missing["data"]["detail"], "the session does not exist");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn explain_in_words_names_what_failed_and_what_was_needed(pool: PgPool) {
    let url = pool.connect_options().to_url_lossy().to_string();
    let session = request_session(&pool).await.to_string();
    let flags = [
        "--database-url",
        &url,
        "--output",
        "text",
        "explain",
        "--session-id",
        &session,
    ];
    let told = String::from_utf8(run(&flags).stdout).unwrap();
    let expected = format!(
        "u-1 may not attach to {session}: the session is not ready yet; they are told 404 \
         session.not_available\n  \
         passed  session_exists: {session}\n  \
         passed  role: candidate\n  \
         passed  owner: u-1\n  \
         FAILED  state: created (needed: ready or running)\n  \
         passed  before_end: the clock has not started\n"
    );
    assert_eq!(told, expected);
}
