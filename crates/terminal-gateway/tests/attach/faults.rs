//! Clients that go wrong, and what becomes of them and of their shell.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use environment_access::wire::Resume;
use sqlx::PgPool;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::bench::Bench;
use crate::browser::{Browser, PATIENCE};
use crate::evidence::{closed_with, opened};
use crate::raw::{Answer, Raw, frame, header, hello, upgrade};
use crate::seat::Seat;

/// More than the window, so that output has to wait.
const MUCH: usize = 400_000;
/// So long the gateway waits for a browser that it has sent away.
const WAITED_FOR: Duration = Duration::from_secs(5);

/// Reads on until the connection ends, which has to happen.
async fn reads_to_the_end(stream: &mut TcpStream) {
    let mut rest = vec![0; 64 * 1024];
    let reading = async { while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the connection ends");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_reads_nothing_little_or_says_nothing_is_sent_away(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (never, slowly, silent) = (
        bench.seat("never").await,
        bench.seat("slowly").await,
        bench.seat("silent").await,
    );
    tokio::join!(
        reads_nothing(&never),
        reads_slowly(&slowly),
        says_nothing(&silent)
    );
    // All of it is still there, and so is the place.
    for seat in [&never, &slowly] {
        let (mut browser, _) = Browser::attach(seat, None).await;
        assert_eq!(browser.output(0, MUCH).await.len(), MUCH);
    }
}

async fn reads_nothing(seat: &Seat) {
    let mut raw = Raw::attach(seat).await;
    seat.keeper.print(&vec![b'x'; MUCH]);
    assert_eq!(closed_with(seat).await, 4021);
    reads_to_the_end(&mut raw.stream).await;
}

/// A byte a second, so that no frame is ever whole and none acknowledged.
async fn reads_slowly(seat: &Seat) {
    let mut raw = Raw::attach(seat).await;
    seat.keeper.print(&vec![b'x'; MUCH]);
    let stream = &mut raw.stream;
    let reading = async {
        while stream.read_u8().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        code = closed_with(seat) => assert_eq!(code, 4021),
        () = reading => {}
    }
    reads_to_the_end(&mut raw.stream).await;
}

/// It reads, but neither types nor answers a PING: as if the network had swallowed it.
async fn says_nothing(seat: &Seat) {
    let mut raw = Raw::attach(seat).await;
    let mut pings = 0;
    loop {
        match raw.next().await {
            Answer::Frame(0x89, _) => pings += 1,
            Answer::Frame(0x88, code) => break assert_eq!(code[..2], 1001_u16.to_be_bytes()),
            Answer::Frame(..) => {}
            Answer::End => panic!("no code"),
        }
    }
    assert!(pings >= 2, "it was asked {pings} times");
    assert_eq!(closed_with(seat).await, 1001);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_is_slow_to_ask_or_to_greet_is_not_waited_for(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let ask = async {
        let mut stream = TcpStream::connect(bench.address).await.unwrap();
        dribble(&mut stream, upgrade(&bench, &token).as_bytes()).await;
        reads_to_the_end(&mut stream).await;
    };
    let greet = async {
        let mut raw = Raw::open(&bench, &token).await;
        raw.send(&header(0x82, 0, 100)).await;
        dribble(&mut raw.stream, &[0x01; 100]).await;
        assert_eq!(raw.only_close().await, Some(4008));
    };
    // PINGs are answered and are no greeting.
    let ping = async {
        let mut raw = Raw::open(&bench, &token).await;
        raw.send(&frame(0x89, b"hello?")).await;
        assert_eq!(raw.next().await, Answer::Frame(0x8A, b"hello?".to_vec()));
        assert_eq!(raw.only_close().await, Some(4008));
    };
    tokio::join!(ask, greet, ping);
    Browser::attach(&bench, None).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_is_late_to_read_and_sends_on_is_told_the_code_all_the_same(pool: PgPool) {
    let bench = Bench::start(pool).await;
    // A machine so busy that the gateway's patience was over before everything was read has shown nothing;
    // that it takes so long each time is no chance.
    for number in 0..5 {
        let seat = bench.seat(&format!("late-{number}")).await;
        let began = Instant::now();
        let code = reads_late(&seat).await;
        if code == Some(4009) {
            return;
        }
        let took = began.elapsed();
        let lost = "the connection was reset, and the code lost with what was under way";
        assert!(took >= WAITED_FOR, "{lost}: {code:?} after {took:?}");
    }
    panic!("each time it took longer than the gateway waits");
}

/// The code that one reads whose place was taken while the kernel still held output for it, and who went on
/// acknowledging what had come before.
async fn reads_late(seat: &Seat) -> Option<u16> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(seat.address).await.unwrap();
    let mut raw = Raw::attach_over(stream, seat).await;
    seat.keeper.print(&vec![b'x'; MUCH]);
    let (_second, _) = Browser::attach(seat, None).await;
    assert_eq!(closed_with(seat).await, 4009);
    // Beyond the second for which a server that waits for nobody would have read on.
    for _ in 0..15 {
        raw.send(&frame(0x82, b"\x04\0\0\0\0\0\0\0\0")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    loop {
        match raw.next().await {
            Answer::Frame(0x88, said) => {
                return said.first_chunk().map(|it| u16::from_be_bytes(*it));
            }
            Answer::Frame(..) => {}
            Answer::End => return None,
        }
    }
}

/// Writes a byte each 300 ms, for as long as somebody takes it and eight seconds at most.
async fn dribble(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().take(27) {
        if tokio::io::AsyncWriteExt::write_all(stream, &[*byte])
            .await
            .is_err()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn however_a_client_vanishes_the_shell_is_there_for_the_next(pool: PgPool) {
    let bench = Bench::start(pool).await;
    for (user, way) in [
        ("resets", Way::Reset),
        ("leaves", Way::Leave),
        ("dies", Way::Killed),
    ] {
        let seat = bench.seat(user).await;
        vanish(&seat, way).await;
        assert_eq!(closed_with(&seat).await, 1001, "{user}");
        let place = Resume {
            epoch: 1,
            output_offset: 0,
            input_offset: 0,
        };
        let (mut browser, welcome) = Browser::attach(&seat, Some(place)).await;
        assert_eq!(welcome.input_offset, 3, "{user}");
        assert_eq!(browser.output(0, 3).await, b"abc", "{user}");
    }
}

#[derive(Clone, Copy)]
enum Way {
    Reset,
    Leave,
    Killed,
}

/// Attaches, types three bytes that the shell has, and is gone.
async fn vanish(seat: &Seat, way: Way) {
    let typed = frame(0x82, b"\x02\0\0\0\0\0\0\0\0abc");
    if let Way::Killed = way {
        return die(seat, &typed).await;
    }
    let mut raw = Raw::attach(seat).await;
    raw.send(&typed).await;
    has_typed(seat).await;
    if let Way::Reset = way {
        raw.stream.set_zero_linger().unwrap();
    }
}

async fn has_typed(seat: &Seat) {
    let typed = async {
        while seat.keeper.typed() != b"abc" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, typed)
        .await
        .expect("the shell has it in time");
}

/// A client in a process of its own, ended with SIGKILL. It writes what it is given and reads nothing.
async fn die(seat: &Seat, typed: &[u8]) {
    let token = seat.login();
    let ticket = seat.ticket(&token).await;
    let (ip, port) = (seat.address.ip(), seat.address.port());
    let mut client = Command::new("bash")
        .args(["-c", &format!("exec cat >/dev/tcp/{ip}/{port}")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = client.stdin.take().unwrap();
    says.write_all(upgrade(seat, &token).as_bytes()).unwrap();
    says.write_all(&hello(&ticket)).unwrap();
    // Before WELCOME nobody may type.
    opened(seat).await;
    says.write_all(typed).unwrap();
    has_typed(seat).await;
    client.kill().unwrap();
    client.wait().unwrap();
}
