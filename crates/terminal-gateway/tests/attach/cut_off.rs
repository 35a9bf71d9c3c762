//! The end: on time, and whatever the client does.

use std::time::{Duration, Instant};

use environment_access::wire::{ClientFrame, ServerFrame};
use sqlx::PgPool;
use tokio::io::AsyncReadExt as _;

use crate::bench::Bench;
use crate::browser::{Browser, Came, PATIENCE};
use crate::rows::set_end;
use crate::steady::Steady;

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_ended_session_closes_its_terminal(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
    browser.socket.get_ref().writable().await.unwrap();
    assert_eq!(bench.keeper.typed(), b"abc");
    let closed = sqlx::query_scalar!("SELECT close_code FROM terminal_attachments")
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
    let began = Instant::now();
    set_end(&bench.pool, bench.session_id, 6.0).await;
    match browser.next().await {
        Came::Frame(ServerFrame::Notice(notice)) => {
            assert!(notice.args["remaining_ms"].as_u64().unwrap() > 0);
        }
        other => panic!("{other:?}"),
    }
    // Announced, it is not there yet.
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    assert_eq!(browser.closed().await, 4010);
    // Asking takes time, and the end may come early by that.
    assert!(began.elapsed() > Duration::from_secs(3), "cut too early");
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
    let end = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stopping_process_sends_its_browsers_elsewhere(pool: PgPool) {
    // The moment is drawn at random and may come at once; that it does each time is no chance.
    for _ in 0..5 {
        if types_while_draining(pool.clone()).await {
            return;
        }
    }
    panic!("nobody could type while the process was draining");
}

/// Whether what was typed after the notice was echoed before the end.
async fn types_while_draining(pool: PgPool) -> bool {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.stop.cancel();
    match browser.next().await {
        Came::Frame(ServerFrame::Notice(notice)) => assert_eq!(notice.text, "terminal.draining"),
        other => panic!("{other:?}"),
    }
    browser.type_at(0, b"still here").await;
    let mut echo = Vec::new();
    let code = loop {
        match browser.next().await {
            Came::Frame(ServerFrame::Output { bytes }) => echo.extend_from_slice(&bytes),
            Came::Frame(_) => {}
            Came::Closed(code) => break code,
            Came::Broken => panic!("no close code"),
        }
    };
    assert_eq!(code, 1012);
    bench.end_session().await;
    drop(browser);
    tokio::time::timeout(PATIENCE, bench.ended)
        .await
        .unwrap()
        .unwrap();
    echo == b"still here"
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
async fn with_every_notification_lost_the_poll_closes_it_all_the_same(pool: PgPool) {
    let bench = Bench::start(pool).await;
    sqlx::query!("ALTER TABLE exam_sessions DISABLE TRIGGER exam_sessions_hint")
        .execute(&bench.pool)
        .await
        .unwrap();
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_no_poll_and_no_deadline_near_a_notification_closes_it_all_the_same(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.restart_without_polls().await;
    // Once it listens everything is read, for what was said before; there is nothing yet.
    listens(&bench.pool).await;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(welcome.remaining_ms, None, "no end is known");
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
}

/// Waits until somebody listens.
async fn listens(pool: &PgPool) {
    let listener = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                    AND state = 'idle' AND query LIKE 'LISTEN%'";
    let listening = async {
        while sqlx::raw_sql(listener)
            .fetch_optional(pool)
            .await
            .unwrap()
            .is_none()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_the_database_silent_the_known_deadline_holds(pool: PgPool) {
    let bench = Bench::start(pool).await;
    set_end(&bench.pool, bench.session_id, 8.0).await;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert!(
        welcome
            .remaining_ms
            .is_some_and(|remaining| remaining <= 8000)
    );
    // From here on nothing can be read of any terminal.
    sqlx::query!("ALTER TABLE terminals RENAME TO terminals_out_of_reach")
        .execute(&bench.pool)
        .await
        .unwrap();
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    assert_eq!(browser.closed().await, 4010);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_typed_in_a_flood_after_the_end_never_reaches_the_shell(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let mut offset = 0;
    for _ in 0..20 {
        browser.type_at(offset, b"before ").await;
        offset += 7;
    }
    browser.output(0, 140).await;
    bench.end_session().await;
    // The page does not read what tells it, and types on.
    browser.close_has_come().await;
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

/// What a page does while its session ends.
struct Busy {
    user: &'static str,
    /// Bytes in one frame of what it types.
    piece: usize,
    /// Output that it has not seen yet.
    printed: usize,
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whatever_goes_on_nothing_typed_after_the_end_reaches_the_shell(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let table = [
        Busy {
            user: "types",
            piece: 1,
            printed: 0,
        },
        Busy {
            user: "pastes",
            piece: 16 * 1024,
            printed: 0,
        },
        Busy {
            user: "is-flooded",
            piece: 7,
            printed: 8_000_000,
        },
    ];
    for busy in table {
        let seat = bench.seat(busy.user).await;
        seat.keeper.print(&vec![b'x'; busy.printed]);
        let steady = Steady::attach(seat, vec![b'b'; 10_000_000]).await;
        cut_off_while(steady, busy.piece).await;
    }
}

async fn cut_off_while(mut steady: Steady, piece: usize) {
    let mut is_over = false;
    let code = loop {
        steady.type_on(piece).await;
        if !is_over && !steady.seat.keeper.typed().is_empty() {
            steady.seat.end_session().await;
            is_over = true;
        }
        if let Some(code) = steady.glance().await {
            break code;
        }
    };
    // One that is far behind may be cut before it has read why.
    assert!(matches!(code, 4010 | 1006), "{code}");
    // It knows, and types on as if it did not.
    steady.script.fill(b'a');
    for _ in 0..20 {
        steady.type_on(piece).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let typed = steady.seat.keeper.typed();
    let after = typed.iter().position(|byte| *byte != b'b');
    assert_eq!(after, None, "of {}", typed.len());
}
