//! A candidate who types on, whatever happens to the connection, as a page does.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::terminal::{Door, Terminal};

/// Restarts of components and the pauses of whoever connects again, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(250);
/// Between two lines of somebody who types fast.
const PAUSE: Duration = Duration::from_millis(30);
/// Lines that are typed at a time.
const LINES: usize = 40;

/// Types into a file, and knows what it must hold in the end.
#[derive(Debug)]
pub struct Typist {
    door: Door,
    terminal: Terminal,
    typed: String,
    reconnections: usize,
}

impl Typist {
    /// Sits down: from here on, what is typed goes into a file, without echo.
    pub async fn sit_down(door: Door) -> Self {
        let mut terminal = Terminal::attach(&door).await.expect("a terminal");
        terminal.type_line("kept=$((6*7)); stty -echo; PS1=").await;
        terminal
            .type_line("echo begun-$((40+2)); cat > ~/typed")
            .await;
        terminal.expect("begun-42").await;
        Self {
            door,
            terminal,
            typed: String::new(),
            reconnections: 0,
        }
    }

    /// Types random lines.
    pub async fn type_lines(&mut self) {
        for _ in 0..LINES {
            self.type_one().await;
        }
    }

    /// Types a line and takes what comes, on a new connection if the old one has ended.
    pub async fn type_on(&mut self) {
        self.type_one().await;
        self.terminal.read_for(PAUSE).await;
        if self.terminal.is_closed() {
            self.connect_again(Instant::now() + PATIENCE).await;
        }
    }

    /// How often the connection was made anew.
    pub fn reconnections(&self) -> usize {
        self.reconnections
    }

    async fn type_one(&mut self) {
        let line = format!("{:032x}", rand::random::<u128>());
        self.terminal.type_line(&line).await;
        self.typed += &line;
        self.typed.push('\n');
    }

    /// Waits until all that was typed has reached the shell.
    pub async fn await_arrival(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.terminal.input_arrived() {
            self.terminal.read_for(LOOK).await;
            if self.terminal.is_closed() {
                self.connect_again(deadline).await;
            }
            assert!(Instant::now() < deadline, "{}", self.terminal.tail());
        }
    }

    async fn connect_again(&mut self, deadline: Instant) {
        loop {
            let place = self.terminal.place();
            match Terminal::resume(&self.door, place).await {
                Ok(terminal) => {
                    let truncated = terminal.replay.is_some_and(|replay| replay.truncated);
                    assert!(!truncated, "little was printed");
                    self.terminal = terminal;
                    self.reconnections += 1;
                    return;
                }
                Err(refused) => assert!(Instant::now() < deadline, "{refused:?}"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the file and has the shell say what it holds: every byte once, in the same shell.
    pub async fn prove(mut self) -> Terminal {
        self.await_arrival().await;
        self.terminal.type_text("\u{4}").await;
        self.terminal
            .type_line("echo same-$kept; sha256sum ~/typed | cut -c1-64")
            .await;
        self.await_arrival().await;
        let hash = hex::encode(Sha256::digest(&self.typed));
        let deadline = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(self.terminal.output()).contains(&hash) {
            self.terminal.read_for(LOOK).await;
            if self.terminal.is_closed() {
                self.connect_again(deadline).await;
            }
            assert!(
                Instant::now() < deadline,
                "{hash} of {} bytes\n{}",
                self.typed.len(),
                self.terminal.tail()
            );
        }
        self.terminal.expect("same-42").await;
        self.terminal
    }
}
