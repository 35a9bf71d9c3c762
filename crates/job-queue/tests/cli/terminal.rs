//! The command line at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_mins(1);
/// What every question ends with.
const ASKED: &[u8] = b"[y/N]";

/// Calls it with a terminal of its own, types the answer when it has asked, and gives what was shown there
/// beside the rest. Keys such as Ctrl-C do what they do at a terminal.
pub(crate) async fn asked(pool: &PgPool, words: &[&str], answer: &str) -> (String, Output) {
    let mut terminal = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string();
    let mut open = File::options();
    let side = open.read(true).write(true).open(name.unwrap()).unwrap();
    let url = pool.connect_options().to_url_lossy().to_string();
    // Keys are signals only to whose terminal it is.
    let child = Command::new("setsid")
        .args(["--ctty", env!("CARGO_BIN_EXE_job-queue")])
        .args(words)
        .args(["--database-url", &url])
        .stdin(side.try_clone().unwrap())
        .stderr(side)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answer = answer.to_owned();
    let shown = tokio::task::spawn_blocking(move || {
        let mut shown = Vec::new();
        if is_asked(&mut terminal, &mut shown) {
            terminal.write_all(answer.as_bytes()).unwrap();
        }
        // The last writer's end reads as an error here.
        terminal.read_to_end(&mut shown).ok();
        String::from_utf8_lossy(&shown).into_owned()
    });
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let ended = ended.await.expect("it ends").unwrap();
    (shown.await.unwrap(), ended)
}

/// Reads until a question is shown, or until nothing more is.
fn is_asked(terminal: &mut File, shown: &mut Vec<u8>) -> bool {
    let mut part = [0; 256];
    while let Ok(length @ 1..) = terminal.read(&mut part) {
        shown.extend_from_slice(&part[..length]);
        if shown.windows(ASKED.len()).any(|it| it == ASKED) {
            return true;
        }
    }
    false
}
