//! Tickets: good once, for whom and where they were taken, and not for long.

use environment_access::wire::ServerFrame;
use sqlx::PgPool;

use crate::bench::{Bench, OTHER_ORIGIN};
use crate::browser::{Browser, Came, open, request};
use crate::raw::{Raw, frame, hello};
use crate::seat::Seat;

/// How an attach with a ticket ends: with WELCOME or a code.
async fn used(seat: &Seat, token: &str, ticket: &str) -> Result<(), u16> {
    let browser = open(seat, request(seat, token)).await.unwrap();
    answer(browser, ticket).await
}

async fn answer(mut browser: Browser, ticket: &str) -> Result<(), u16> {
    browser.hello(ticket, None).await;
    match browser.next().await {
        Came::Frame(ServerFrame::Welcome(_)) => Ok(()),
        Came::Closed(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

async fn from_other_origin(seat: &Seat, token: &str, ticket: &str) -> Result<(), u16> {
    let mut request = request(seat, token);
    let origin = OTHER_ORIGIN.parse().unwrap();
    request.headers_mut().insert("origin", origin);
    answer(open(seat, request).await.unwrap(), ticket).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ticket_opens_nothing_for_anybody_else_and_stays_good_for_its_owner(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (token, other_login) = (bench.login(), bench.login());
    let ticket = bench.ticket(&token).await;
    let other_user = bench.seat("somebody-else").await;
    let theirs = other_user.login();
    assert_eq!(used(&other_user, &theirs, &ticket).await, Err(4001));
    assert_eq!(used(&bench, &other_login, &ticket).await, Err(4001));
    assert_eq!(from_other_origin(&bench, &token, &ticket).await, Err(4001));
    let stranger = open(&bench, request(&bench, &theirs)).await;
    assert_eq!(stranger.err(), Some(404));
    assert_eq!(used(&bench, &token, &ticket).await, Ok(()));
    assert_eq!(used(&bench, &token, &ticket).await, Err(4001));
    let reasons = sqlx::query_scalar!(
        "SELECT detail FROM access_log WHERE action = 'attach' AND NOT allowed ORDER BY id"
    );
    let reasons = reasons.fetch_all(&bench.pool).await.unwrap();
    let expected = [
        "ticket is for another session",
        "ticket was taken with another login",
        "ticket was taken from another origin",
    ];
    assert_eq!(
        reasons[..3].iter().flatten().collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        reasons.last().unwrap().as_deref(),
        Some("ticket used before")
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_several_who_race_with_one_ticket_one_gets_in(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let ticket = bench.ticket(&token).await;
    // As many as one user may have waiting.
    let mut racers = Vec::new();
    for _ in 0..4 {
        racers.push(open(&bench, request(&bench, &token)).await.unwrap());
    }
    let racing = racers.into_iter().map(|browser| answer(browser, &ticket));
    let mut answers = futures_util::future::join_all(racing).await;
    answers.sort();
    assert_eq!(answers, [Ok(()), Err(4001), Err(4001), Err(4001)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_ticket_that_is_late_or_none_opens_nothing(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let ticket = bench.ticket(&token).await;
    let mut other_case: String = ticket.clone();
    other_case.make_ascii_uppercase();
    let long = "x".repeat(3000);
    for none in [
        "",
        "x",
        &long,
        &format!("{ticket} "),
        &other_case,
        "' OR true --",
    ] {
        assert_eq!(used(&bench, &token, none).await, Err(4001), "{none}");
    }
    sqlx::query!("UPDATE terminal_tickets SET expires_at = clock_timestamp()")
        .execute(&bench.pool)
        .await
        .unwrap();
    assert_eq!(used(&bench, &token, &ticket).await, Err(4001));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_greeting_too_long_wrong_or_given_twice_ends_with_its_code(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let padded = format!(
        "\x01{{\"ticket\":\"{}\",\"cols\":80,\"rows\":24}}",
        "x".repeat(4100)
    );
    let table = [
        (frame(0x82, padded.as_bytes()), 1009),
        (frame(0x82, b"\x01{"), 1002),
        (
            frame(0x82, b"\x01{\"ticket\":\"x\",\"cols\":1,\"rows\":24}"),
            1002,
        ),
        (frame(0x82, b"\x02\0\0\0\0\0\0\0\0ls"), 1002),
        (frame(0x82, b"\x06\0"), 1002),
    ];
    for (bytes, code) in table {
        let mut raw = Raw::open(&bench, &token).await;
        raw.send(&bytes).await;
        assert_eq!(raw.only_close().await, Some(code));
    }
    let ticket = bench.ticket(&token).await;
    let mut raw = Raw::attach(&bench).await;
    raw.send(&hello(&ticket)).await;
    assert_eq!(raw.only_close().await, Some(1002));
    assert_eq!(
        used(&bench, &token, &ticket).await,
        Ok(()),
        "it was not used up"
    );
}
