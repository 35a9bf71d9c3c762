use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::RuntimeError;

/// Room of the connection in each direction, in bytes.
const ROOM: usize = 1024;

struct Bench {
    reader: ExecReader<DuplexStream>,
    writer: ExecWriter<DuplexStream>,
    server: DuplexStream,
}

fn bench(protocol: Protocol) -> Bench {
    let (connection, server) = duplex(ROOM);
    let target = Target {
        operation: "attach",
        uid: "uid".to_owned(),
    };
    let (reader, writer) = halves(connection, protocol, target);
    Bench {
        reader,
        writer,
        server,
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126);
    [&[first, length], payload].concat()
}

fn message(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

const SUCCESS: &[u8] = b"\x03{\"status\":\"Success\"}";
const FORBIDDEN: &[u8] = b"\x03{\"status\":\"Failure\",\"code\":403,\"message\":\"no\"}";

/// Reads one frame that a client sent, without its mask.
async fn heard(server: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    server.read_exact(&mut head).await.unwrap();
    assert_eq!(head[1] & 0x80, 0x80, "a client masks");
    let mut payload = vec![0; usize::from(head[1] & 0x7F)];
    server.read_exact(&mut payload).await.unwrap();
    for (byte, mask) in payload.iter_mut().zip(head[2..].iter().cycle()) {
        *byte ^= mask;
    }
    (head[0], payload)
}

#[tokio::test]
async fn output_passes_whole_in_whatever_room_the_reader_gives() {
    let mut bench = bench(Protocol::V5);
    for part in [
        &message(b"\x01")[..],
        &message(b"\x01one "),
        &message(b"\x02no"),
        &message(b"\x01two"),
    ] {
        bench.server.write_all(part).await.unwrap();
    }
    let mut output = Vec::new();
    while output != b"one two" {
        let mut byte = [0];
        assert_eq!(bench.reader.read(&mut byte).await.unwrap(), 1);
        output.extend(byte);
    }
}

#[tokio::test]
async fn a_paused_reader_keeps_no_keystroke_waiting() {
    let mut bench = bench(Protocol::V5);
    let flood = message(&[b"\x01", &[b'x'; 100][..]].concat());
    let (mut from_server, mut to_client) = tokio::io::split(bench.server);
    let flooding = tokio::spawn(async move { while to_client.write_all(&flood).await.is_ok() {} });
    // Nobody reads, and the connection is full.
    tokio::task::yield_now().await;
    bench.writer.write_all(b"\x03").await.unwrap();
    let mut typed = [0; 8];
    from_server.read_exact(&mut typed).await.unwrap();
    let channel_and_key = [typed[6] ^ typed[2], typed[7] ^ typed[3]];
    assert_eq!(channel_and_key, [0, 3]);
    drop((bench.reader, bench.writer, from_server));
    flooding.await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_nothing_stops_the_writer_and_lets_the_reader_go_on() {
    let mut bench = bench(Protocol::V5);
    let stuck = async {
        loop {
            bench.writer.write_all(&[7; 512]).await.unwrap();
        }
    };
    let read = async {
        bench.server.write_all(&message(b"\x01out")).await.unwrap();
        let mut output = [0; 3];
        bench.reader.read_exact(&mut output).await.unwrap();
        output
    };
    tokio::select! {
        biased;
        () = stuck => {}
        output = read => assert_eq!(&output, b"out"),
    }
}

#[tokio::test]
async fn a_writer_in_another_task_is_woken_though_the_reader_writes_too() {
    let bench = bench(Protocol::V5);
    let (mut reader, mut writer) = (bench.reader, bench.writer);
    let (mut from_client, mut to_client) = tokio::io::split(bench.server);
    let typing = tokio::spawn(async move {
        for _ in 0..40 {
            writer.write_all(&[9; 100]).await.unwrap();
            writer.flush().await.unwrap();
        }
    });
    let reading = tokio::spawn(async move {
        let mut output = Vec::new();
        reader.read_to_end(&mut output).await.unwrap();
    });
    for _ in 0..20 {
        to_client.write_all(&frame(0x89, b"?")).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut seen = vec![0; 40 * 107];
    from_client.read_exact(&mut seen).await.unwrap();
    typing.await.unwrap();
    to_client.write_all(&message(SUCCESS)).await.unwrap();
    to_client.write_all(&frame(0x88, b"")).await.unwrap();
    reading.await.unwrap();
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_carried() {
    let mut bench = bench(Protocol::V5);
    bench
        .server
        .write_all(&frame(0x89, b"are you there"))
        .await
        .unwrap();
    let mut nothing = [0; 8];
    tokio::select! {
        biased;
        answer = heard(&mut bench.server) => assert_eq!(answer, (0x8A, b"are you there".to_vec())),
        read = bench.reader.read(&mut nothing) => panic!("read {read:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_shows_life_every_ten_seconds() {
    let mut bench = bench(Protocol::V5);
    let begun = tokio::time::Instant::now();
    let mut nothing = [0; 8];
    let pings = async {
        for _ in 0..3 {
            assert_eq!(heard(&mut bench.server).await, (0x89, vec![]));
        }
    };
    tokio::select! {
        () = pings => {}
        read = bench.reader.read(&mut nothing) => panic!("read {read:?}"),
    }
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_clean_end_gives_the_tail_and_then_the_end() {
    let mut bench = bench(Protocol::V5);
    for part in [
        message(SUCCESS),
        message(b"\x01tail"),
        frame(0x88, b"\x03\xe8"),
    ] {
        bench.server.write_all(&part).await.unwrap();
    }
    let mut output = Vec::new();
    bench.reader.read_to_end(&mut output).await.unwrap();
    assert_eq!(output, b"tail");
    assert_eq!(bench.reader.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_after_the_status_is_not_waited_for_long() {
    let mut bench = bench(Protocol::V5);
    bench.server.write_all(&message(SUCCESS)).await.unwrap();
    let mut output = Vec::new();
    let begun = tokio::time::Instant::now();
    bench.reader.read_to_end(&mut output).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_the_status_nothing_is_sent_not_even_what_was_under_way() {
    let mut bench = bench(Protocol::V5);
    // Fills the connection, so that a part of the message is still to be written.
    bench.writer.write_all(&[1; 2 * ROOM]).await.unwrap();
    bench.server.write_all(&message(SUCCESS)).await.unwrap();
    bench.server.write_all(&frame(0x89, b"")).await.unwrap();
    bench.server.write_all(&frame(0x89, b"")).await.unwrap();
    let mut output = Vec::new();
    let reading = tokio::time::timeout(
        Duration::from_secs(1),
        bench.reader.read_to_end(&mut output),
    );
    reading.await.unwrap_err();
    bench.writer.write_all(b"late").await.unwrap();
    bench.writer.shutdown().await.unwrap();
    drop((bench.reader, bench.writer));
    let mut sent = Vec::new();
    bench.server.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent.len(), ROOM, "only what the connection held already");
}

#[tokio::test]
async fn a_refusal_on_the_stream_is_an_error_with_its_signal() {
    let mut bench = bench(Protocol::V5);
    bench.server.write_all(&message(FORBIDDEN)).await.unwrap();
    bench.server.write_all(&frame(0x88, b"")).await.unwrap();
    let error = bench.reader.read(&mut [0; 8]).await.unwrap_err();
    let refusal = error
        .into_inner()
        .unwrap()
        .downcast::<RuntimeError>()
        .unwrap();
    assert_eq!(refusal.signal.kind(), "exec_forbidden");
    assert_eq!(bench.reader.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn an_end_without_a_status_is_a_cut() {
    for last in [frame(0x88, b""), Vec::new(), vec![0x82]] {
        let mut bench = bench(Protocol::V5);
        bench.server.write_all(&last).await.unwrap();
        drop(bench.server);
        let error = bench.reader.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn what_is_no_websocket_ends_the_stream_after_the_output_before_it() {
    let mut bench = bench(Protocol::V5);
    let bytes = [message(b"\x01fine"), vec![0xFF; 20]].concat();
    bench.server.write_all(&bytes).await.unwrap();
    let mut output = Vec::new();
    let error = bench.reader.read_to_end(&mut output).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn shutting_the_writer_down_ends_input_and_the_output_goes_on() {
    for (protocol, sent) in [
        (Protocol::V5, (0x82, vec![255, 0])),
        (Protocol::V4, (0x88, vec![3, 0xE8])),
    ] {
        let mut bench = bench(protocol);
        bench.writer.shutdown().await.unwrap();
        assert_eq!(heard(&mut bench.server).await, sent);
        bench.writer.write_all(b"x").await.unwrap_err();
        bench
            .server
            .write_all(&message(b"\x01still"))
            .await
            .unwrap();
        let mut output = [0; 5];
        bench.reader.read_exact(&mut output).await.unwrap();
        assert_eq!(&output, b"still");
    }
}

#[tokio::test]
async fn the_connection_closes_with_the_second_half() {
    let mut bench = bench(Protocol::V5);
    drop(bench.writer);
    bench.server.write_all(&message(b"\x01x")).await.unwrap();
    assert_eq!(bench.reader.read(&mut [0; 8]).await.unwrap(), 1);
    drop(bench.reader);
    let mut rest = Vec::new();
    bench.server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
}
