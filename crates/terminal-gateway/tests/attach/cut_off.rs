//! The end: on time, and whatever the client does.

use std::time::{Duration, Instant};

use environment_access::wire::{ClientFrame, ServerFrame};
use sqlx::PgPool;
use tokio::io::AsyncReadExt as _;

use crate::bench::{Bench, set_end};
use crate::browser::{Browser, Came};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_ended_session_closes_its_terminal_at_once(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    // The listener needs a moment to be there; the poll would do too, within 2 s.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    browser.socket.get_ref().writable().await.unwrap();
    assert_eq!(bench.keeper.typed(), b"abc");
    let closed = sqlx::query_scalar!("SELECT close_code FROM terminals")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert!(matches!(closed, Some(4010) | None));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_deadline_is_learnt_announced_and_kept(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(welcome.remaining_ms, None);
    set_end(&bench.pool, bench.session_id, 1.5).await;
    let began = Instant::now();
    let mut announced = false;
    let code = loop {
        match browser.next().await {
            Came::Frame(ServerFrame::Notice(notice)) => {
                announced |= notice.args["remaining_ms"].as_u64().unwrap() > 0;
            }
            Came::Closed(code) => break code,
            Came::Frame(_) => {}
            Came::Broken => panic!("no close code"),
        }
    };
    assert_eq!(code, 4010);
    let took = began.elapsed();
    let on_time = Duration::from_millis(1300)..Duration::from_millis(1800);
    assert!(announced && on_time.contains(&took), "{announced} {took:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_client_that_stopped_reading_is_cut_off_all_the_same(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(&vec![b'x'; 400_000]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.end_session().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Nothing was read for all that time; whatever the kernel still held is followed by the end.
    let mut rest = Vec::new();
    let socket = browser.socket.get_mut();
    let end = tokio::time::timeout(Duration::from_secs(2), socket.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stopping_process_sends_its_browsers_elsewhere(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.stop.cancel();
    match browser.next().await {
        Came::Frame(ServerFrame::Notice(notice)) => assert_eq!(notice.text, "terminal.draining"),
        other => panic!("{other:?}"),
    }
    browser.type_at(0, b"still here").await;
    browser.output(0, 10).await;
    assert_eq!(browser.closed().await, 1012);
    drop(browser);
    tokio::time::timeout(Duration::from_secs(15), bench.ended)
        .await
        .unwrap()
        .unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_detached_browser_leaves_the_shell_as_it_is(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    browser
        .send(ClientFrame::Detach(environment_access::wire::Detach::Keep))
        .await;
    assert_eq!(browser.closed().await, 1001);
    let (_, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(welcome.input_offset, 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_every_notification_lost_the_poll_closes_it_within_its_period(pool: PgPool) {
    let bench = Bench::start(pool).await;
    sqlx::query!("ALTER TABLE exam_sessions DISABLE TRIGGER exam_sessions_hint")
        .execute(&bench.pool)
        .await
        .unwrap();
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let began = Instant::now();
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
    assert!(
        began.elapsed() < Duration::from_millis(2500),
        "{:?}",
        began.elapsed()
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_the_database_silent_the_known_deadline_holds(pool: PgPool) {
    let bench = Bench::start(pool).await;
    set_end(&bench.pool, bench.session_id, 2.0).await;
    let began = Instant::now();
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert!(
        welcome
            .remaining_ms
            .is_some_and(|remaining| remaining <= 2000)
    );
    // From here on nothing can be read of any terminal.
    sqlx::query!("ALTER TABLE terminals RENAME TO terminals_out_of_reach")
        .execute(&bench.pool)
        .await
        .unwrap();
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    assert_eq!(browser.closed().await, 4010);
    let took = began.elapsed();
    let on_time = Duration::from_millis(1700)..Duration::from_millis(2200);
    assert!(on_time.contains(&took), "{took:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_typed_in_a_flood_after_the_end_never_reaches_the_shell(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut offset = 0;
    for _ in 0..20 {
        browser.type_at(offset, b"before ").await;
        offset += 7;
    }
    browser.output(0, 140).await;
    bench.end_session().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..20 {
        let bytes = bytes::Bytes::from_static(b"after");
        let frame = ClientFrame::Input { offset, bytes }.encode();
        let message = tokio_tungstenite::tungstenite::Message::Binary(frame);
        futures_util::SinkExt::send(&mut browser.socket, message)
            .await
            .ok();
        offset += 5;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.keeper.typed(), b"before ".repeat(20));
}
