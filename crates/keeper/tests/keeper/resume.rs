use std::io::Write as _;
use std::time::Duration;

use carrel_keeper::frames::{Open, RING, Resume};
use carrel_keeper::{ClientFrame, Frame as _, KeeperFrame};

use crate::fixture::{Client, Keeper};

const LINES: u32 = 300_000;

/// The same generator in the shell and here: Lehmer's, small enough for awk's numbers.
const PROGRAM: &str =
    "awk 'BEGIN{x=1;for(i=0;i<300000;i++){x=x*16807%2147483647;printf \"%010d\\n\",x}}'";

fn expected() -> Vec<u8> {
    let mut value: u64 = 1;
    let mut text = Vec::new();
    for _ in 0..LINES {
        value = value * 16807 % 2_147_483_647;
        text.extend_from_slice(format!("{value:010}\r\n").as_bytes());
    }
    text
}

/// Reads at least `count` bytes of output.
fn read_more(client: &mut Client, count: usize) {
    let goal = client.output.len() + count;
    while client.output.len() < goal {
        assert!(client.frame().is_some(), "the stream ended early");
    }
}

#[test]
fn a_hundred_cut_streams_lose_and_double_nothing() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text(&format!("echo be''gin; {PROGRAM}\n"));
    client.expect("begin\r\n");
    let marker = client.text().find("begin\r\n").unwrap() + "begin\r\n".len();
    client.output.drain(..marker);
    client.begin += marker as u64;
    let mut all: Vec<u8> = Vec::new();
    let expected = expected();
    let mut epoch = 1;
    for round in 0..100_u64 {
        client.acks = round % 3 != 0;
        let count = 1 + usize::try_from(round * 7919 % 17_000).unwrap();
        read_more(&mut client, count);
        all.extend(&client.output);
        let place = client.place();
        // Half of the streams are cut, half superseded while they still flow.
        epoch += i64::from(round % 2 == 0);
        let replaced = client;
        if round % 4 < 2 {
            replaced.socket.shutdown(std::net::Shutdown::Both).unwrap();
        }
        client = keeper.open(epoch, Some(place));
        let opened = client.opened.clone().unwrap();
        assert_eq!(
            (opened.replay_from, opened.truncated),
            (place.out_off, false)
        );
    }
    client.acks = true;
    client.ack(client.begin);
    read_more(&mut client, expected.len() - all.len());
    all.extend(&client.output);
    // The prompt follows.
    all.truncate(expected.len());
    let first = all.iter().zip(&expected).position(|(got, due)| got != due);
    assert_eq!(first, None, "first wrong byte");
    assert_eq!(all.len(), expected.len());
}

#[test]
fn a_client_that_comes_too_late_gets_the_rest_and_is_told() {
    let keeper = Keeper::start_with(&["--hold-ms", "0"]);
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    client.type_text("seq 1 100000; echo all-''out > flag\n");
    let place = client.place();
    drop(client);
    let flag = keeper.folder.path().join("flag");
    crate::fixture::wait_until("the end of the output", || flag.exists());
    let mut client = keeper.open(2, Some(place));
    let opened = client.opened.clone().unwrap();
    assert!(opened.truncated);
    assert_eq!(opened.out_off - opened.replay_from, RING as u64);
    client.expect("100000\r\n");
}

#[test]
fn output_of_a_lost_client_waits_and_then_flows_on() {
    let keeper = Keeper::start_with(&["--hold-ms", "5000"]);
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    client.type_text("seq 1 100000; echo all-''out > flag\n");
    drop(client);
    let flag = keeper.folder.path().join("flag");
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        !flag.exists(),
        "the shell should be blocked while the output is held"
    );
    crate::fixture::wait_until("the end of the hold", || flag.exists());
}

#[test]
fn a_fresh_client_gets_everything_the_ring_holds() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("echo for-''everyone\n");
    client.expect("for-everyone");
    let opened = keeper.open(2, None).opened.unwrap();
    assert_eq!(
        (opened.replay_from, opened.truncated, opened.alive),
        (0, false, true)
    );
}

#[test]
fn an_offset_beyond_the_output_is_answered_with_a_truncated_replay() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    let opened = keeper
        .open(
            1,
            Some(Resume {
                shell_epoch: 1,
                out_off: 1 << 40,
            }),
        )
        .opened
        .unwrap();
    assert!(opened.truncated);
    assert_eq!(opened.replay_from, 0);
}

#[test]
fn a_ping_overtakes_a_replay() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("seq 1 100000; echo fi''nished\n");
    client.expect("finished");
    drop(client);
    // In one write with OPEN, so that the replay cannot be with the kernel before the ping is read.
    let mut client = keeper.connect();
    let open = Open {
        epoch: 2,
        cols: 80,
        rows: 24,
        resume: None,
    };
    let mut words = ClientFrame::Open(open).to_bytes().unwrap().to_vec();
    words.extend(ClientFrame::Ping { token: 1 }.to_bytes().unwrap());
    client.socket.write_all(&words).unwrap();
    client.expect_opened();
    while client.frame() != Some(KeeperFrame::Pong { token: 1 }) {}
    assert!(client.output.len() < RING, "{}", client.output.len());
}
