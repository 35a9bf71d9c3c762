use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use carrel_keeper::KeeperFrame;

use crate::fixture::{BINARY, Keeper, copy_binary, wait_until};

/// Lists (pid, state, parent) of all processes.
fn processes() -> Vec<(i32, char, i32)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let pid = stat.split(' ').next()?.parse().ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            Some((
                pid,
                fields.next()?.chars().next()?,
                fields.next()?.parse().ok()?,
            ))
        })
        .collect()
}

#[test]
fn the_exit_code_comes_after_the_last_output_and_closes_the_stream() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("echo last-''words; exit 42\n");
    let exit = client.expect_exit();
    assert_eq!(
        (exit.shell_epoch, exit.code, exit.signal),
        (1, Some(42), None)
    );
    assert!(client.shows("last-words"));
    assert_eq!(client.frame(), None);
}

#[test]
fn a_shell_that_was_killed_tells_the_signal() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("kill -9 $$\n");
    let exit = client.expect_exit();
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
}

#[test]
fn opening_after_the_exit_starts_a_new_shell_from_zero() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("old=1; exit\n");
    client.expect_exit();
    let place = client.place();
    let mut client = keeper.open(2, Some(place));
    let opened = client.opened.clone().unwrap();
    assert_eq!(
        (opened.shell_epoch, opened.in_off, opened.replay_from),
        (2, 0, 0)
    );
    assert!(opened.alive && !opened.truncated);
    client.type_text("echo new-${old:-none}\n");
    client.expect("new-none");
}

#[test]
fn a_shell_that_ended_unseen_is_replayed_to_who_resumes_it() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    client.type_text("sleep 0.3; echo un''seen; exit 5\n");
    client.expect("exit 5\r\n");
    let place = client.place();
    drop(client);
    wait_until("the shell's end", || {
        !processes().iter().any(|(_, _, p)| *p == keeper.pid())
    });
    let mut client = keeper.open(1, Some(place));
    assert!(!client.opened.as_ref().unwrap().alive);
    assert_eq!(client.expect_exit().code, Some(5));
    assert!(client.shows("unseen"));
    let next = keeper.open(2, Some(client.place())).opened.unwrap();
    assert_eq!((next.shell_epoch, next.alive), (2, true));
}

#[test]
fn an_exit_that_alone_was_lost_is_told_again_to_the_same_attach_and_starts_no_shell() {
    let keeper = Keeper::start();
    let mut client = keeper.open(7, None);
    client.type_text("echo last-''words; exit 9\n");
    client.expect_exit();
    let after = client.place();
    drop(client);
    for _ in 0..2 {
        let mut client = keeper.open(7, Some(after));
        let opened = client.opened.clone().unwrap();
        assert_eq!((opened.shell_epoch, opened.alive), (1, false));
        assert_eq!(
            (opened.replay_from, opened.truncated),
            (after.out_off, false)
        );
        assert_eq!(client.expect_exit().code, Some(9));
        assert_eq!(client.output, b"", "every byte had arrived");
    }
    let asked_anew = keeper.open(7, None).opened.unwrap();
    assert_eq!((asked_anew.shell_epoch, asked_anew.alive), (2, true));
}

#[test]
fn the_last_words_and_the_exit_are_told_again_to_who_did_not_get_the_words() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    let before = client.place();
    client.type_text("echo last-''words; exit 6\n");
    client.expect_exit();
    let after = client.place();
    // Whoever stands between has taken all of it, and dies before it was passed on.
    drop(client);
    for epoch in [2, 3] {
        let mut client = keeper.open(epoch, Some(before));
        let opened = client.opened.clone().unwrap();
        assert_eq!((opened.shell_epoch, opened.alive), (1, false));
        assert_eq!(client.expect_exit().code, Some(6));
        assert!(client.shows("last-words"));
    }
    let next = keeper.open(4, Some(after)).opened.unwrap();
    assert_eq!((next.shell_epoch, next.alive), (2, true));
}

#[test]
fn orphans_are_adopted_and_reaped() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text(
        "for i in 1 2 3 4 5; do sh -c 'for j in 1 2; do sleep 3210 & echo $! >>pids; done'; done; \
         echo go''ne\n",
    );
    client.expect("gone");
    let adopted = || {
        processes()
            .into_iter()
            .filter(|(_, _, parent)| *parent == keeper.pid())
    };
    wait_until("the adoption", || adopted().count() == 11);
    client.type_text("kill $(cat pids)\n");
    wait_until("the reaping", || adopted().count() == 1);
    assert!(adopted().all(|(_, state, _)| state != 'Z'));
}

#[test]
fn stop_ends_even_what_ignores_hangups_and_tells_the_client() {
    let mut keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.type_text("(trap '' HUP TERM; setsid sleep 3210) & disown; echo st''arted\n");
    client.expect("started");
    let family = |keeper: &Keeper| {
        let all = processes();
        let mut family = vec![keeper.pid()];
        for _ in 0..5 {
            let children = all.iter().filter(|(_, _, parent)| family.contains(parent));
            let fresh: Vec<i32> = children.map(|(pid, ..)| *pid).collect();
            family.extend(fresh);
            family.sort_unstable();
            family.dedup();
        }
        family
    };
    wait_until("the stubborn one", || family(&keeper).len() >= 3);
    let family = family(&keeper);
    let socket = keeper.socket();
    let status = Command::new(BINARY)
        .arg("stop")
        .arg("--socket")
        .arg(&socket)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(keeper.process.wait().unwrap().code(), Some(0));
    let alive: Vec<i32> = processes().iter().map(|(pid, ..)| *pid).collect();
    assert!(family.iter().all(|pid| !alive.contains(pid)), "{family:?}");
    let told = client.drain(Duration::from_secs(1));
    assert!(
        told.iter()
            .any(|frame| matches!(frame, KeeperFrame::Exit(_))),
        "{told:?}"
    );
}

#[test]
fn a_missing_shell_is_told_before_anyone_attaches() {
    let run = Command::new(BINARY)
        .args(["run", "--socket", "/nonexistent/s", "--", "/no/such/shell"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&run.stderr).contains("/no/such/shell"));
}

#[test]
fn an_idle_keeper_uses_no_processor_time() {
    let keeper = Keeper::start();
    let mut client = keeper.open(1, None);
    client.expect("$ ");
    let wakes = || {
        let status = fs::read_to_string(format!("/proc/{}/status", keeper.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    // What the prompt brought about may take a while; then there is nothing to wake for.
    wait_until("a time without work", || {
        let before = wakes();
        std::thread::sleep(Duration::from_millis(1500));
        wakes() - before <= 2
    });
}

/// The kernel gives the files of an undumpable process to root: what the owner may not open, a
/// debugger of the same user may not trace.
#[test]
fn the_same_user_cannot_trace_the_keeper() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let binary = folder.path().join("keeper");
    copy_binary(&binary);
    let mut command = Command::new(&binary);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        command.uid(65534).gid(65534);
    }
    let socket = folder.path().join("socket");
    command
        .arg("run")
        .arg("--socket")
        .arg(&socket)
        .args(["--", "sh"])
        .stdin(Stdio::null());
    let mut keeper = command.spawn().unwrap();
    wait_until("the socket", || socket.exists());
    let owner = fs::metadata(format!("/proc/{}/mem", keeper.id()))
        .unwrap()
        .uid();
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    assert_eq!(owner, 0);
}
