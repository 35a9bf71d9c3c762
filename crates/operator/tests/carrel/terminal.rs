//! `carrel` at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Carrel;

const PATIENCE: Duration = Duration::from_mins(1);

/// Calls it with a terminal for stdin and stderr, types the answer, and gives what was shown there
/// beside the rest.
pub(crate) async fn asked(carrel: &Carrel, words: &[&str], answer: &str) -> (String, Output) {
    let mut terminal = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = File::options()
        .read(true)
        .write(true)
        .open(name.into_string().unwrap())
        .unwrap();
    let child = carrel
        .command(words)
        .stdin(side.try_clone().unwrap())
        .stderr(side)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Typed ahead: a terminal keeps it until it is read.
    terminal.write_all(answer.as_bytes()).unwrap();
    let shown = tokio::task::spawn_blocking(move || {
        let mut shown = Vec::new();
        // The last writer's end reads as an error here.
        terminal.read_to_end(&mut shown).ok();
        String::from_utf8_lossy(&shown).into_owned()
    });
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let ended = ended.await.expect("it ends").unwrap();
    (shown.await.unwrap(), ended)
}
