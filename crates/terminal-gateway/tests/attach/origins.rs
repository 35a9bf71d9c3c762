//! Pages: which may open a terminal. One list, compared byte for byte.

use reqwest::header::HeaderValue;
use sqlx::PgPool;

use crate::bench::{Bench, OTHER_ORIGIN};
use crate::browser::{open, request};
use crate::raw::{Answer, Raw, upgrade};

/// Everything that looks like `https://page.example` or `http://127.0.0.1:8080` and is not.
const FOREIGN: [&str; 32] = [
    "null",
    "",
    "*",
    "http://page.example",
    "wss://page.example",
    "https://page.example:443",
    "https://page.example:8443",
    "https://page.example/",
    "https://page.example.",
    "https://page.example:",
    "https://page.example?x",
    "https://page.example#x",
    "https://PAGE.example",
    "HTTPS://page.example",
    "https://api.page.example",
    "https://example",
    "https://evil-page.example",
    "https://evilpage.example",
    "https://page.example.evil.test",
    "https://page.example@evil.test",
    "https://user@page.example",
    "https://user:secret@page.example",
    "https://page.example, https://page.example",
    "https://page.example https://evil.test",
    "page.example",
    "http://127.0.0.1:8081",
    "http://127.0.0.1",
    "http://127.0.0.1:08080",
    "http://127.0.0.1.:8080",
    "http://127.1:8080",
    "http://localhost:8080",
    "file://",
];

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_page_but_those_on_the_list_takes_a_ticket_or_opens_a_socket(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (token, session) = (bench.login(), bench.session_id.to_string());
    for origin in FOREIGN.map(Some).into_iter().chain([None]) {
        let asked = bench.ask_ticket_from(&session, &token, origin).await;
        assert_eq!(asked.status(), 403, "{origin:?}");
        let mut request = request(&bench, &token);
        request.headers_mut().remove("origin");
        if let Some(origin) = origin {
            let value = HeaderValue::from_static(origin);
            request.headers_mut().insert("origin", value);
        }
        assert_eq!(open(&bench, request).await.err(), Some(403), "{origin:?}");
    }
    let asked = bench.ask_ticket_from(&session, &token, Some(OTHER_ORIGIN));
    assert_eq!(asked.await.status(), 201);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_request_from_two_pages_is_from_none(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let head = upgrade(&bench, &bench.login());
    for other in ["https://evil.test", OTHER_ORIGIN] {
        let twice = head.replace("Origin: ", &format!("Origin: {other}\r\nOrigin: "));
        let behind = head.replace("\r\nAuth", &format!("\r\nOrigin: {other}\r\nAuth"));
        for head in [twice, behind] {
            let answer = Raw::ask(&bench, &head).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        }
    }
    let answer = Raw::open(&bench, &bench.login()).await.next().await;
    assert!(matches!(answer, Answer::Frame(0x88, _)), "{answer:?}");
}
