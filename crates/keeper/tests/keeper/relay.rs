use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use carrel_keeper::frames::{Open, RefusalCode};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};

use crate::fixture::{BINARY, Keeper, wait_until};

fn attach(keeper: &Keeper, epoch: i64) -> Child {
    Command::new(BINARY)
        .args(["attach", "--epoch", &epoch.to_string(), "--socket"])
        .arg(keeper.socket())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn open(epoch: i64) -> Bytes {
    ClientFrame::Open(Open {
        epoch,
        cols: 80,
        rows: 24,
        resume: None,
    })
    .to_bytes()
    .unwrap()
}

fn frames_of(relay: &mut Child) -> Vec<KeeperFrame> {
    let mut bytes = Vec::new();
    relay
        .stdout
        .as_mut()
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let mut decoder = Decoder::new();
    decoder.push(&bytes);
    std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
}

#[test]
fn attach_relays_until_the_shell_ends() {
    let keeper = Keeper::start();
    let mut relay = attach(&keeper, 4);
    let mut stdin = relay.stdin.take().unwrap();
    stdin.write_all(&open(4)).unwrap();
    let bytes = Bytes::from_static(b"echo through-''relay; exit 6\n");
    stdin
        .write_all(&ClientFrame::Input { in_off: 0, bytes }.to_bytes().unwrap())
        .unwrap();
    let frames = frames_of(&mut relay);
    assert!(matches!(frames.first(), Some(KeeperFrame::Opened(_))));
    assert!(matches!(frames.last(), Some(KeeperFrame::Exit(exit)) if exit.code == Some(6)));
    assert!(relay.wait().unwrap().success());
}

#[test]
fn attach_ends_when_its_input_ends() {
    let keeper = Keeper::start();
    let mut relay = attach(&keeper, 1);
    let mut stdin = relay.stdin.take().unwrap();
    stdin.write_all(&open(1)).unwrap();
    let mut first = [0; 64];
    relay
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    drop(stdin);
    wait_until("the relay's end", || relay.try_wait().unwrap().is_some());
}

#[test]
fn attach_ends_when_its_input_ends_though_nobody_reads_its_output() {
    let keeper = Keeper::start();
    let mut relay = attach(&keeper, 1);
    let mut stdin = relay.stdin.take().unwrap();
    stdin.write_all(&open(1)).unwrap();
    let bytes = Bytes::from_static(b"yes\n");
    stdin
        .write_all(&ClientFrame::Input { in_off: 0, bytes }.to_bytes().unwrap())
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(stdin);
    wait_until("the relay's end", || relay.try_wait().unwrap().is_some());
}

#[test]
fn attach_refuses_an_open_of_another_epoch() {
    let keeper = Keeper::start();
    let mut relay = attach(&keeper, 2);
    relay.stdin.as_mut().unwrap().write_all(&open(3)).unwrap();
    let frames = frames_of(&mut relay);
    let [KeeperFrame::Refused(refused)] = frames.as_slice() else {
        panic!("{frames:?}")
    };
    assert_eq!(refused.code, RefusalCode::EpochMismatch);
    assert_eq!(relay.wait().unwrap().code(), Some(5));
}

#[test]
fn attach_without_a_keeper_says_so_in_a_frame() {
    let keeper = Keeper::start();
    let socket = keeper.folder.path().join("elsewhere");
    let output = Command::new(BINARY)
        .args(["attach", "--epoch", "1", "--socket"])
        .arg(socket)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut decoder = Decoder::<KeeperFrame>::new();
    decoder.push(&output.stdout);
    let Some(KeeperFrame::Refused(refused)) = decoder.next_frame().unwrap() else {
        panic!()
    };
    assert_eq!(refused.code, RefusalCode::NoKeeper);
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn attach_enters_only_the_instance_that_was_meant() {
    let keeper = Keeper::start();
    let attach = |meant: &str| {
        let mut relay = Command::new(BINARY)
            .args(["attach", "--epoch", "1", "--instance", meant, "--socket"])
            .arg(keeper.socket())
            .env("CARREL_INSTANCE", "this-one")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = relay.stdin.take().unwrap();
        // Refused before it is read, the pipe may be closed by now.
        stdin.write_all(&open(1)).ok();
        drop(stdin);
        let first = frames_of(&mut relay).into_iter().next();
        (first, relay.wait().unwrap().code())
    };
    let (said, code) = attach("another");
    let Some(KeeperFrame::Refused(refused)) = said else {
        panic!("{said:?}")
    };
    assert_eq!(refused.code, RefusalCode::OtherInstance);
    assert!(refused.message.contains("another") && refused.message.contains("this-one"));
    assert_eq!(code, Some(5));
    assert!(matches!(attach("this-one").0, Some(KeeperFrame::Opened(_))));
}
