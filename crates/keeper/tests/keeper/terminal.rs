use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use carrel_keeper::frames::{INPUT_WINDOW, RefusalCode, WINDOW};
use carrel_keeper::{ClientFrame, Frame as _, KeeperFrame};

use crate::fixture::{Keeper, wait_until};

/// Counts processes whose command line contains `words`.
fn running(words: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.trim() == words).count()
}

#[test]
fn what_is_typed_reaches_the_shell_and_its_answer_comes_back() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    let line = "echo $((6*7))-$TERM-$COLORTERM-$LANG; pwd\n";
    client.type_text(line);
    client.expect("42-xterm-256color-truecolor-C.UTF-8");
    client.expect(keeper.folder.path().to_str().unwrap());
    wait_until("the input's acknowledgement", || {
        client.drain(Duration::from_millis(5));
        client.input_acked == line.len() as u64
    });
}

#[test]
fn the_shell_leads_its_own_session_on_its_own_terminal() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text(
        "read -r _ _ _ _ group session tty _ < <(cat /proc/$$/stat); \
        [ $session = $$ ] && [ $group = $$ ] && [ $tty != 0 ] && echo le''ader; tty\n",
    );
    client.expect("leader");
    client.expect("/dev/pts/");
}

#[test]
fn the_first_program_sees_the_size_of_open_and_later_ones_the_resized() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("stty size\n");
    client.expect("24 80");
    client.resize(133, 41);
    client.type_text("stty size\n");
    client.expect("41 133");
}

#[test]
fn interrupt_passes_while_a_client_that_acknowledges_nothing_stalls_the_output() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    client.acks = false;
    let acked = client.end();
    client.ack(acked);
    let flood = format!("yes stalled-by-{}", keeper.pid());
    client.type_text(&format!("{flood}\n"));
    wait_until("a full window", || {
        client.drain(Duration::from_millis(50));
        client.end() - acked >= WINDOW
    });
    client.drain(Duration::from_millis(300));
    assert_eq!(client.end() - acked, WINDOW, "output stops at the window");
    assert_eq!(running(&flood), 1);

    client.type_text("\x03");
    client.send(&ClientFrame::Ping { token: 99 });
    let mut answers = Vec::new();
    while !answers.contains(&KeeperFrame::Pong { token: 99 }) {
        answers.push(client.frame().expect("the stream stays open"));
    }
    assert!(
        !answers
            .iter()
            .any(|frame| matches!(frame, KeeperFrame::Output { .. }))
    );
    wait_until("the end of the flood", || running(&flood) == 0);

    client.acks = true;
    client.ack(client.end());
    client.type_text("echo af''ter\n");
    client.expect("after");
}

#[test]
fn a_resize_arrives_while_output_is_stalled() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.acks = false;
    client.type_text("trap 'stty size > size' WINCH; for ((;;)); do echo li''ne; done\n");
    client.expect("line");
    client.drain(Duration::from_millis(300));
    client.resize(99, 33);
    let size = keeper.folder.path().join("size");
    // The trap runs between two commands, so the stalled one must be let go on.
    client.acks = true;
    client.ack(client.end());
    wait_until("the new size", || {
        client.drain(Duration::from_millis(1));
        std::fs::read_to_string(&size).is_ok_and(|text| text == "33 99\n")
    });
    client.type_text("\x03");
}

#[test]
fn a_large_paste_arrives_whole_and_in_order() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("stty raw -echo; echo re''ady; head -c 200000 | cksum; stty sane\n");
    client.expect("ready");
    let lines: Vec<String> = (0..25_000).map(|number| format!("{number:07}")).collect();
    let paste = lines.join("\n") + "\n";
    for piece in paste.as_bytes().chunks(10_000) {
        client.type_text(std::str::from_utf8(piece).unwrap());
    }
    let file = keeper.folder.path().join("paste");
    std::fs::write(&file, &paste).unwrap();
    let sum = Command::new("cksum")
        .stdin(File::open(&file).unwrap())
        .output()
        .unwrap();
    client.expect(String::from_utf8(sum.stdout).unwrap().trim_end());
}

#[test]
fn input_sent_twice_has_effect_once() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_at(0, "echo on");
    client.type_at(0, "echo on");
    client.type_at(3, "o once >> log\n");
    client.type_at(0, "echo once >> log\n");
    client.type_at(17, "echo done-$((1+1))\n");
    client.expect("done-2");
    let log = std::fs::read_to_string(keeper.folder.path().join("log")).unwrap();
    assert_eq!(log, "once\n");
}

#[test]
fn input_with_a_gap_is_refused() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_at(5, "late");
    let refused = client
        .drain(Duration::from_secs(5))
        .into_iter()
        .find_map(|frame| match frame {
            KeeperFrame::Refused(refused) => Some(refused.code),
            _ => None,
        });
    assert_eq!(refused, Some(RefusalCode::InputGap));
}

#[test]
fn input_nobody_reads_is_bounded_and_blocks_nothing_else() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    let command = "stty raw -echo; echo re''ady; sleep 60\n";
    client.type_text(command);
    client.expect("ready");
    let lines = "x\n".repeat(8192);
    for _ in 0..INPUT_WINDOW / lines.len() {
        client.type_text(&lines);
    }
    client.send(&ClientFrame::Ping { token: 5 });
    while client.frame().expect("the stream stays open") != (KeeperFrame::Pong { token: 5 }) {}
    // It is refused and the stream closed somewhere on the way: what follows goes nowhere.
    let mut offset = command.len() + INPUT_WINDOW / lines.len() * lines.len();
    for _ in 0..16 {
        let input = ClientFrame::Input {
            in_off: offset as u64,
            bytes: Bytes::copy_from_slice(lines.as_bytes()),
        };
        client.socket.write_all(&input.to_bytes().unwrap()).ok();
        offset += lines.len();
    }
    while let Some(frame) = client.frame() {
        if is_overflow(&frame) {
            return;
        }
    }
    panic!("more than the window was taken");
}

fn is_overflow(frame: &KeeperFrame) -> bool {
    matches!(frame, KeeperFrame::Refused(refused) if refused.code == RefusalCode::InputOverflow)
}
