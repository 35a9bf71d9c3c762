use std::time::Duration;

use carrel_keeper::KeeperFrame;
use carrel_keeper::frames::{RefusalCode, Superseded};

use crate::fixture::Keeper;

#[test]
fn a_higher_epoch_takes_the_terminal_and_late_input_is_ignored() {
    let keeper = Keeper::start();
    let mut older = keeper.open(1, None);
    older.expect("$ ");
    let mut newer = keeper.open(2, None);
    let mut told = older.frame();
    while !matches!(told, None | Some(KeeperFrame::Superseded(_))) {
        told = older.frame();
    }
    assert_eq!(told, Some(KeeperFrame::Superseded(Superseded { epoch: 2 })));
    older.type_text("echo stolen > stolen\n");
    newer.type_text("echo mine > mine; echo do''ne\n");
    newer.expect("done");
    let folder = keeper.folder.path();
    assert!(folder.join("mine").exists());
    assert!(!folder.join("stolen").exists());
    assert!(!newer.shows("stolen"));
}

#[test]
fn an_older_epoch_is_refused_and_disturbs_nobody() {
    let keeper = Keeper::start();
    let mut holder = keeper.open(7, None);
    let mut older = keeper.connect();
    older.send_open(6, None);
    assert_eq!(older.expect_refused().code, RefusalCode::StaleEpoch);
    assert_eq!(older.frame(), None, "the stream is closed");
    holder.type_text("echo st''ill\n");
    holder.expect("still");
}

#[test]
fn the_same_epoch_may_come_back() {
    let keeper = Keeper::start();
    let mut first = keeper.open(3, None);
    first.expect("$ ");
    let again = keeper.open(3, Some(first.place()));
    assert!(!again.opened.unwrap().truncated);
}

#[test]
fn a_stream_that_does_not_open_is_refused() {
    let keeper = Keeper::start();
    let mut client = keeper.connect();
    client.type_text("ls\n");
    assert_eq!(client.expect_refused().code, RefusalCode::BadOpen);
}

#[test]
fn nonsense_after_open_ends_the_stream_but_not_the_shell() {
    use std::io::Write as _;
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.socket.write_all(&[0xff; 64]).unwrap();
    let frames = client.drain(Duration::from_secs(5));
    let refused = frames.iter().find_map(|frame| match frame {
        KeeperFrame::Refused(refused) => Some(refused.code),
        _ => None,
    });
    assert_eq!(refused, Some(RefusalCode::Protocol));
    let opened = keeper.open(1, None).opened.unwrap();
    assert_eq!((opened.shell_epoch, opened.alive), (1, true));
}
