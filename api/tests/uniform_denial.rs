//! Missing, foreign and forbidden sessions cannot be told apart.

mod support;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use session_identity::{ExamSessionId, Role};
use sqlx::PgPool;
use support::{Answer, TestApi, exams, rows};

const MISSING: &str = "01982f6e-0000-7000-8000-000000000000";
/// Ids that are well-formed and that no session was ever given.
const NEVER_GIVEN: [&str; 4] = [
    "00000000-0000-7000-8000-000000000000",
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "0c2f7ab0-3f3e-7b0e-9d5f-6a1c8e7d2b10",
    "01982F6E-0000-7000-8000-000000000000",
];

/// An answer byte for byte, but for when it was made and the id of its request.
fn shape(answer: &Answer) -> (u16, HeaderMap, String) {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    let id = headers
        .remove("x-request-id")
        .expect("every answer has one");
    let id = id.to_str().expect("plain text");
    let text = answer.text.replace(id, &"0".repeat(id.len()));
    (answer.status, headers, text)
}

fn requests(api: &TestApi, session: &str, user: &str, role: Role) -> Vec<reqwest::RequestBuilder> {
    let path = |rest: &str| format!("/v1/sessions/{session}{rest}");
    vec![
        api.as_user(Method::GET, &path(""), user, role),
        api.as_user(Method::GET, &path("/events"), user, role),
        api.as_user(Method::GET, &path("/recording/raw"), user, role),
        api.as_user(Method::POST, &path("/terminate"), user, role)
            .json(&json!({})),
        api.as_user(Method::POST, &path("/extend"), user, role)
            .header("idempotency-key", "k")
            .json(&json!({"by_seconds": 60, "reason": "r"})),
    ]
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missing_and_foreign_sessions_are_answered_alike_on_every_route(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let fresh = api.session_of("owner-1").await;
    let running = api.session_of("owner-2").await;
    exams::run(&pool, &running).await;
    let ended = api.session_of("owner-3").await;
    exams::end(&pool, &ended).await;
    let before = rows::count(&pool).await;
    let missing = requests(&api, MISSING, "stranger", Role::Candidate);
    for (index, request) in missing.into_iter().enumerate() {
        let expected = Answer::of(request).await;
        expected.assert_problem(404, "session.not_available");
        let foreign = [&fresh, &running, &ended].map(String::as_str);
        for other in foreign.into_iter().chain(NEVER_GIVEN) {
            let mut other_requests = requests(&api, other, "stranger", Role::Candidate);
            let answer = Answer::of(other_requests.swap_remove(index)).await;
            assert_eq!(shape(&answer), shape(&expected), "route {index} {other}");
        }
    }
    assert_eq!(rows::count(&pool).await, before);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_thousand_guesses_among_which_some_exist_teach_nothing(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let ask = async |session: &str| {
        let path = format!("/v1/sessions/{session}");
        let request = api.as_user(Method::GET, &path, "stranger", Role::Candidate);
        shape(&Answer::of(request).await)
    };
    let expected = ask(MISSING).await;
    for number in 0..1000 {
        let guess = match number % 20 {
            0 => api.session_of(&format!("owner-{number}")).await,
            _ => ExamSessionId::generate().to_string(),
        };
        assert_eq!(ask(&guess).await, expected, "{number}: {guess}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_true_reason_of_each_denial_is_in_the_access_log(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let foreign = api.session_of("owner").await;
    for session in [MISSING, foreign.as_str()] {
        let path = format!("/v1/sessions/{session}");
        Answer::of(api.as_user(Method::GET, &path, "stranger", Role::Candidate)).await;
    }
    let details = sqlx::query_scalar!(
        r#"SELECT detail AS "detail!" FROM access_log WHERE NOT allowed ORDER BY id"#
    );
    let details = details.fetch_all(&pool).await.unwrap();
    let expected = [
        "the session does not exist",
        "the session belongs to somebody else",
    ];
    assert_eq!(details, expected);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn there_is_no_list_of_sessions_for_anybody(pool: PgPool) {
    let api = TestApi::start(&pool).await;
    for role in [
        Role::Candidate,
        Role::Invigilator,
        Role::Operator,
        Role::Service,
    ] {
        let answer = Answer::of(api.as_user(Method::GET, "/v1/sessions", "u-1", role)).await;
        answer.assert_problem(405, "route.method_not_allowed");
        assert_eq!(answer.header("allow"), "POST");
    }
}
