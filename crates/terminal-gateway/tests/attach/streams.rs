//! Both streams: exact, whoever breaks.

use bytes::Bytes;
use environment_access::wire::{ClientFrame, ReplayMark, Resume, ServerFrame, limits};
use futures_util::{SinkExt as _, StreamExt as _};
use sqlx::PgPool;
use tokio_tungstenite::tungstenite::Message;

use crate::bench::Bench;
use crate::browser::{Browser, Came, PATIENCE};

fn text(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| b'a' + u8::try_from(index % 23).unwrap())
        .collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_typed_reaches_the_shell_and_its_echo_comes_back(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(
        (welcome.epoch, welcome.output_offset, welcome.input_offset),
        (1, 0, 0)
    );
    assert_eq!(welcome.window, limits::OUTPUT_WINDOW);
    browser.type_at(0, b"ls\r").await;
    assert_eq!(browser.output(0, 3).await, b"ls\r");
    assert_eq!(bench.keeper.typed(), b"ls\r");
    browser
        .send(ClientFrame::Resize {
            columns: 120,
            rows: 40,
        })
        .await;
    browser.send(ClientFrame::Ping { opaque: 77 }).await;
    loop {
        if let Came::Frame(ServerFrame::Pong { opaque, .. }) = browser.next().await {
            assert_eq!(opaque, 77);
            break;
        }
    }
    browser.type_at(3, b"x").await;
    browser.output(3, 1).await;
    let sizes = bench.keeper.shell.lock().unwrap().sizes.clone();
    assert_eq!(
        (sizes.first(), sizes.last()),
        (Some(&(80, 24)), Some(&(120, 40)))
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_websocket_ping_is_answered_while_the_shell_is_not_reached_yet(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.keeper.hold_starts.send_replace(true);
    let mut browser = Browser::greet(&bench, None).await;
    for bytes in [&b"one"[..], b"two"] {
        let ping = Message::Ping(Bytes::from_static(bytes));
        browser.socket.send(ping).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, browser.socket.next()).await;
        let pong = Message::Pong(Bytes::from_static(bytes));
        assert_eq!(answer.unwrap().unwrap().unwrap(), pong);
    }
    bench.keeper.hold_starts.send_replace(false);
    let next = browser.next().await;
    assert!(
        matches!(next, Came::Frame(ServerFrame::Welcome(_))),
        "{next:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_second_tab_takes_over_and_sees_the_same_screen(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.keeper.print(b"welcome\r\n");
    let (mut first, _) = Browser::attach(&bench, None).await;
    first.output(0, 9).await;
    let (mut second, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(first.closed().await, 4009);
    assert_eq!(welcome.replay_from, 0);
    let mut marks = Vec::new();
    let mut replayed = Vec::new();
    while marks.len() < 2 {
        match second.next().await {
            Came::Frame(ServerFrame::Replay(replay)) => {
                marks.push((replay.mark, replay.from, replay.to, replay.truncated));
            }
            Came::Frame(ServerFrame::Output { bytes }) => replayed.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        marks,
        [
            (ReplayMark::Begin, 0, 9, false),
            (ReplayMark::End, 0, 9, false)
        ]
    );
    assert_eq!(replayed, b"welcome\r\n");
    second.type_at(0, b"q").await;
    second.output(9, 1).await;
    assert_eq!(bench.keeper.typed(), b"q");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_resumed_connection_goes_on_at_the_very_byte(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut first, _) = Browser::attach(&bench, None).await;
    first.type_at(0, b"abc").await;
    first.output(0, 3).await;
    drop(first);
    bench.keeper.print(b"while away");
    let resume = Resume {
        epoch: 1,
        output_offset: 3,
        input_offset: 5,
    };
    let (mut again, welcome) = Browser::attach(&bench, Some(resume)).await;
    assert_eq!((welcome.replay_from, welcome.input_offset), (3, 3));
    match again.next().await {
        Came::Frame(ServerFrame::Output { bytes }) => assert_eq!(bytes.as_ref(), b"while away"),
        other => panic!("an exact continuation is no replay: {other:?}"),
    }
    again.type_at(3, b"de").await;
    again.output(13, 2).await;
    assert_eq!(bench.keeper.typed(), b"abcde");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn after_a_truncated_replay_the_shell_gets_another_size_and_then_its_own(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.keeper.print(&text(100));
    bench.keeper.shell.lock().unwrap().kept_from = 60;
    let (mut browser, welcome) = Browser::attach(&bench, None).await;
    assert_eq!(welcome.replay_from, 60);
    assert_eq!(browser.output(60, 40).await, text(100)[60..]);
    let sizes = bench.keeper.sizes(3).await;
    assert_eq!(sizes, [(80, 24), (79, 24), (80, 24)]);
    // One that goes on where it was has its screen.
    let place = Resume {
        epoch: 1,
        output_offset: 100,
        input_offset: 0,
    };
    let (mut again, _) = Browser::attach(&bench, Some(place)).await;
    again
        .send(ClientFrame::Resize {
            columns: 90,
            rows: 30,
        })
        .await;
    let sizes = bench.keeper.sizes(5).await;
    assert_eq!(sizes[3..], [(80, 24), (90, 30)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_place_in_another_shell_s_life_cannot_be_resumed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let resume = Resume {
        epoch: 9,
        output_offset: 0,
        input_offset: 0,
    };
    let mut browser = Browser::greet(&bench, Some(resume)).await;
    assert_eq!(browser.closed().await, 4013);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn broken_legs_lose_and_double_nothing_in_either_direction(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let typed = text(6000);
    let mut echoed = Vec::new();
    for (index, piece) in typed.chunks(1000).enumerate() {
        browser.type_at(index as u64 * 1000, piece).await;
        bench.keeper.break_legs();
        let from = echoed.len() as u64;
        echoed.extend(browser.output(from, 1000).await);
    }
    assert_eq!(bench.keeper.typed(), typed);
    assert_eq!(echoed, typed);
    assert!(bench.keeper.shell.lock().unwrap().opens > 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn much_output_comes_whole_and_never_beyond_the_window(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let all = text(1_000_000);
    bench.keeper.print(&all);
    let window = usize::try_from(limits::OUTPUT_WINDOW).unwrap();
    let mut got = Vec::new();
    while got.len() < window {
        match browser.next().await {
            Came::Frame(ServerFrame::Output { bytes }) => got.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got.len(), window);
    browser.send(ClientFrame::Ping { opaque: 1 }).await;
    match browser.next().await {
        Came::Frame(ServerFrame::Pong { .. }) => {}
        other => panic!("beyond the window only control passes: {other:?}"),
    }
    browser.type_at(0, b"\x03").await;
    match browser.next().await {
        Came::Frame(ServerFrame::InputAck { offset, .. }) => assert_eq!(offset, 1),
        other => panic!("an interrupt passes while output stalls: {other:?}"),
    }
    browser
        .send(ClientFrame::Ack {
            offset: got.len() as u64,
        })
        .await;
    got.extend(browser.output(window as u64, all.len() + 1 - window).await);
    assert!(got == [all.as_slice(), b"\x03"].concat());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exit_follows_the_last_byte_and_then_1000(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"logout\r\n");
    browser.output(0, 8).await;
    bench.keeper.exit();
    match browser.next().await {
        Came::Frame(ServerFrame::Exit(exit)) => assert_eq!(exit.code, Some(3)),
        other => panic!("{other:?}"),
    }
    assert_eq!(browser.closed().await, 1000);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn input_beyond_the_credit_or_with_a_gap_breaks_the_protocol(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser
        .send(ClientFrame::Input {
            offset: 5,
            bytes: Bytes::from_static(b"x"),
        })
        .await;
    assert_eq!(browser.closed().await, 1002);
    assert_eq!(bench.keeper.typed(), b"");
}
