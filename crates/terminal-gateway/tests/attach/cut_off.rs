//! The end: on time, and whatever the client does.

use std::time::{Duration, Instant};

use environment_access::wire::{ClientFrame, ServerFrame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgPool};
use tokio::net::{TcpSocket, TcpStream};

use crate::bench::Bench;
use crate::browser::{Browser, Came, PATIENCE, open_over, request};
use crate::evidence::closed_with;
use crate::rows::set_end;
use crate::seat::Seat;
use crate::steady::{MOMENT, Steady};

/// Promised with every notification lost: 2.5 s after the end. A busy machine has ten times that:
/// without a poll it never is.
const TOLD_BY_POLL: Duration = Duration::from_secs(25);
/// Promised of a known end: a second after it, and ten times that likewise.
const PAST_DEADLINE: Duration = Duration::from_secs(10);
/// Promised to a client that takes nothing: cut after 250 ms, or 5 s where nothing hurries. Far below the 45 s after which the
/// kernel gives a stuck connection up by itself.
const STUCK: Duration = Duration::from_secs(25);

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
    assert_eq!(closed_with(&bench).await, 4010);
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
    let (code, after) = browser.closed_after(began).await;
    assert_eq!(code, 4010);
    // Asking takes time, and the end may come early by that.
    assert!(after > Duration::from_secs(3), "cut too early: {after:?}");
    let latest = Duration::from_secs(6) + PAST_DEADLINE;
    assert!(after < latest, "cut too late: {after:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_client_that_stopped_reading_is_cut_off_all_the_same(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let browser = attach_narrowly(&bench).await;
    bench.keeper.print(&vec![b'x'; 400_000]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!is_reset(browser.socket.get_ref()));
    bench.end_session().await;
    until_reset(&browser).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_client_that_stopped_reading_and_says_goodbye_is_cut_off_as_well(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut browser = attach_narrowly(&bench).await;
    bench.keeper.print(&vec![b'x'; 400_000]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    browser.socket.close(None).await.unwrap();
    assert_eq!(closed_with(&bench).await, 1001);
    until_reset(&browser).await;
}

/// Waits until it is reset. Nothing is read in all that time: reading would let a mere end of the stream
/// through.
async fn until_reset(browser: &Browser) {
    let reset = async {
        while !is_reset(browser.socket.get_ref()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let reset = tokio::time::timeout(STUCK, reset).await;
    assert!(reset.is_ok(), "what it has not taken still waits for it");
}

/// Attaches one whose kernel takes next to nothing for it, so that output waits at the server.
async fn attach_narrowly(seat: &Seat) -> Browser {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(seat.address).await.unwrap();
    let token = seat.login();
    let ticket = seat.ticket(&token).await;
    let mut browser = open_over(stream, request(seat, &token)).await.unwrap();
    browser.hello(&ticket, None).await;
    match browser.next().await {
        Came::Frame(ServerFrame::Welcome(_)) => browser,
        other => panic!("{other:?}"),
    }
}

/// Whether the other end has thrown the connection away, with all that it still held.
fn is_reset(stream: &TcpStream) -> bool {
    let mut looked_at = [PollFd::new(stream, PollFlags::empty())];
    poll(&mut looked_at, Some(&Timespec::default())).unwrap();
    looked_at[0]
        .revents()
        .intersects(PollFlags::ERR | PollFlags::HUP)
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
    let ended = Instant::now();
    bench.end_session().await;
    let (code, after) = browser.closed_after(ended).await;
    assert_eq!(code, 4010);
    assert!(after < TOLD_BY_POLL, "cut too late: {after:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_no_poll_and_no_deadline_near_a_notification_closes_it_all_the_same(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let before =
        sqlx::query_scalar!(r#"SELECT extract(epoch FROM clock_timestamp())::float8 AS "now!""#);
    let before = before.fetch_one(&bench.pool).await.unwrap();
    bench.restart_without_polls().await;
    // Once it listens everything is read, for what was said before; there is nothing yet.
    listens(&bench.pool, before).await;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(welcome.remaining_ms, None, "no end is known");
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
}

/// Waits until somebody listens who came after that moment.
async fn listens(pool: &PgPool, after: f64) {
    let listening = async {
        loop {
            let listeners = sqlx::query_scalar!(
                r#"SELECT count(*) AS "listeners!" FROM pg_stat_activity
                   WHERE datname = current_database() AND extract(epoch FROM backend_start)::float8 > $1
                     AND state = 'idle' AND query LIKE 'LISTEN%'"#,
                after
            );
            if listeners.fetch_one(pool).await.unwrap() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_database_that_restarts_is_listened_to_again_and_cuts_off_nobody(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.restart_without_polls().await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    restart_database(&bench.pool).await;
    // The gate stands as it stood.
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    // Whichever comes first, the end or the listener: what was said before it listened is read.
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
    browser.socket.get_ref().writable().await.unwrap();
    assert_eq!(bench.keeper.typed(), b"abc");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_end_while_the_database_restarts_is_heard_of_by_the_poll_as_well(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    sqlx::query!("ALTER TABLE exam_sessions DISABLE TRIGGER exam_sessions_hint")
        .execute(&bench.pool)
        .await
        .unwrap();
    restart_database(&bench.pool).await;
    let ended = Instant::now();
    bench.end_session().await;
    let (code, after) = browser.closed_after(ended).await;
    assert_eq!(code, 4010);
    assert!(after < TOLD_BY_POLL, "cut too late: {after:?}");
}

/// Does to this database's connections what a restart does, and to no other database of the server: all
/// of them are gone, and for a while there are no new ones.
async fn restart_database(pool: &PgPool) {
    let options = pool.connect_options();
    let name = options.get_database().unwrap().to_owned();
    let server = options.as_ref().clone().database("postgres");
    let mut server = server.connect().await.unwrap();
    let allow = |allowed: bool| format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {allowed}");
    server.execute(AssertSqlSafe(allow(false))).await.unwrap();
    let gone = async {
        loop {
            let left = sqlx::query_scalar!(
                r#"SELECT count(pg_terminate_backend(pid)) AS "left!" FROM pg_stat_activity
                   WHERE datname = $1"#,
                name
            );
            if left.fetch_one(&mut server).await.unwrap() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    server.execute(AssertSqlSafe(allow(true))).await.unwrap();
    // Connections that this pool had are gone as well, and found to be so before they are used.
    pool.acquire().await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn with_the_database_silent_the_known_deadline_holds(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let began = Instant::now();
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
    let (code, after) = browser.closed_after(began).await;
    assert_eq!(code, 4010);
    let latest = Duration::from_secs(8) + PAST_DEADLINE;
    assert!(after < latest, "cut too late: {after:?}");
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
        if let Some(code) = steady.glance(MOMENT).await {
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
