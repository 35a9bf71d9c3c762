//! Who is not admitted, and what they are told.

use futures_util::SinkExt as _;
use session_identity::{ExamSessionId, Role};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::bench::{Bench, USER, owner};
use crate::browser::{Browser, open, request};
use crate::rows::{insert_session, token};

async fn told(answer: reqwest::Response) -> (u16, serde_json::Value) {
    let status = answer.status().as_u16();
    let mut document: serde_json::Value = answer.json().await.unwrap();
    document
        .as_object_mut()
        .unwrap()
        .remove("request_id")
        .unwrap();
    (status, document)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn missing_foreign_unstarted_and_misspelt_sessions_are_told_alike(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let foreign = insert_session(&bench.pool, "u-2").await;
    let unstarted = insert_session(&bench.pool, "u-3").await;
    let (owner, third) = (owner(), token("u-3", Role::Candidate));
    let missing = ExamSessionId::generate().to_string();
    let expected = told(bench.ask_ticket(&missing, &owner).await).await;
    assert_eq!(
        (expected.0, &expected.1["code"]),
        (404, &"session.not_available".into())
    );
    let operator = token(USER, Role::Operator);
    let alike = [
        (foreign.to_string(), &owner),
        (unstarted.to_string(), &third),
        ("no-uuid".to_owned(), &owner),
        (bench.session_id.to_string(), &operator),
    ];
    for (session, token) in alike {
        assert_eq!(
            told(bench.ask_ticket(&session, token).await).await,
            expected,
            "{session}"
        );
    }
    let mut foreign_socket = request(&bench, &third);
    *foreign_socket.uri_mut() = format!(
        "ws://{}/v1/sessions/{}/terminal",
        bench.address, bench.session_id
    )
    .parse()
    .unwrap();
    assert_eq!(open(&bench, foreign_socket).await.err(), Some(404));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn each_proof_is_demanded_before_there_is_a_socket(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    let good = || request(&bench, &token);
    let without = |header: &str| {
        let mut request = good();
        request.headers_mut().remove(header);
        request
    };
    let with = |header: &'static str, value: &str| {
        let mut request = good();
        request.headers_mut().insert(header, value.parse().unwrap());
        request
    };
    let table = [
        (without("authorization"), 401),
        (with("authorization", "Bearer x.y.z"), 401),
        (without("origin"), 403),
        (with("origin", "null"), 403),
        (with("origin", "http://127.0.0.1:8081"), 403),
        (with("origin", "http://127.0.0.1:8080.evil.test"), 403),
        (without("sec-websocket-protocol"), 426),
        (with("sec-websocket-protocol", "other"), 426),
    ];
    for (request, status) in table {
        assert_eq!(open(&bench, request).await.err(), Some(status));
    }
    assert!(open(&bench, good()).await.is_ok());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_login_cookie_is_as_good_as_a_bearer(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    let mut with_cookie = request(&bench, &token);
    with_cookie.headers_mut().remove("authorization");
    let cookie = format!("carrel_login={token}");
    with_cookie
        .headers_mut()
        .insert("cookie", cookie.parse().unwrap());
    assert!(open(&bench, with_cookie).await.is_ok());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ticket_is_good_once_and_for_its_login_only(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    let ticket = bench.ticket(&token).await;
    let other_login = owner();
    let mut stolen = open(&bench, request(&bench, &other_login)).await.unwrap();
    stolen.hello(&ticket, None).await;
    assert_eq!(stolen.closed().await, 4001);
    let mut first = open(&bench, request(&bench, &token)).await.unwrap();
    first.hello(&ticket, None).await;
    first.next().await;
    let mut second = open(&bench, request(&bench, &token)).await.unwrap();
    second.hello(&ticket, None).await;
    assert_eq!(second.closed().await, 4001);
    let reasons = sqlx::query_scalar!(
        "SELECT detail FROM access_log WHERE action = 'attach' AND NOT allowed ORDER BY id"
    )
    .fetch_all(&bench.pool)
    .await
    .unwrap();
    let reasons: Vec<_> = reasons.iter().flatten().collect();
    assert_eq!(
        reasons,
        ["ticket was taken with another login", "ticket used before"]
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_eleventh_ticket_in_a_minute_is_refused_with_a_pause(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    for _ in 0..10 {
        bench.ticket(&token).await;
    }
    let answer = bench
        .ask_ticket(&bench.session_id.to_string(), &token)
        .await;
    assert_eq!(answer.status(), 429);
    let pause: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=61).contains(&pause));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_ended_session_is_named_as_such_to_its_owner(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.end_session().await;
    let token = owner();
    let (status, document) = told(
        bench
            .ask_ticket(&bench.session_id.to_string(), &token)
            .await,
    )
    .await;
    assert_eq!((status, &document["code"]), (410, &"session.ended".into()));
    assert_eq!(open(&bench, request(&bench, &token)).await.err(), Some(410));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_page_s_origin_is_told_that_it_may_ask_and_no_other(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let url = format!(
        "http://{}/v1/sessions/{}/terminal-tickets",
        bench.address, bench.session_id
    );
    for (origin, allowed) in [("http://127.0.0.1:8080", true), ("http://evil.test", false)] {
        let preflight = bench.http.request(reqwest::Method::OPTIONS, &url);
        let preflight = preflight.header("origin", origin);
        let answer = preflight
            .header("access-control-request-method", "POST")
            .send()
            .await
            .unwrap();
        let named = answer.headers().get("access-control-allow-origin");
        assert_eq!(
            named.is_some_and(|value| value == origin),
            allowed,
            "{origin}"
        );
        if allowed {
            assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn text_unknown_types_and_a_late_hello_each_have_their_code(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    let first = |message: Message| {
        let request = request(&bench, &token);
        let bench = &bench;
        async move {
            let mut browser = open(bench, request).await.unwrap();
            browser.socket.send(message).await.unwrap();
            browser.closed().await
        }
    };
    assert_eq!(first(Message::text("hello")).await, 1003);
    assert_eq!(first(Message::binary(vec![0x7F])).await, 1002);
    assert_eq!(first(Message::binary(vec![])).await, 1002);
    let mut silent = open(&bench, request(&bench, &token)).await.unwrap();
    assert_eq!(silent.closed().await, 4008);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_header_that_announces_too_much_is_answered_before_its_payload(pool: PgPool) {
    let bench = Bench::start(pool).await;
    for announced in [65_536_u64, 600 << 20, 1 << 40] {
        let mut browser = open(&bench, request(&bench, &owner())).await.unwrap();
        let mut header = vec![0x82, 0xFF];
        header.extend(announced.to_be_bytes());
        browser.socket.get_mut().write_all(&header).await.unwrap();
        assert_eq!(browser.closed().await, 1009, "{announced}");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn probes_answer(pool: PgPool) {
    let bench = Bench::start(pool).await;
    for path in ["livez", "readyz"] {
        let url = format!("http://{}/{path}", bench.address);
        assert_eq!(
            bench.http.get(url).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
    bench.stop.cancel();
    bench.ended.await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_connection_that_speaks_no_http_disturbs_nobody(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut raw = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    raw.write_all(b"\x16\x03\x01 not http\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    raw.read_to_end(&mut answer).await.unwrap();
    Browser::attach(&bench, None).await;
}
