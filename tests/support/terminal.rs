//! A terminal as the page has it: frames, credit, acknowledgements and exact resume.

mod dial;
mod input;

use std::time::Duration;

use bytes::Bytes;
use environment_access::wire::{
    ClientFrame, CloseCode, Exit, Hello, Notice, Replay, ReplayMark, Resume, ServerFrame, Welcome,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub use dial::{Door, Refused, dial};

use self::input::Input;
use crate::wait::SOON;

/// An attached terminal.
#[derive(Debug)]
pub struct Terminal {
    socket: WebSocketStream<TcpStream>,
    /// What the server said when it let us in.
    pub welcome: Welcome,
    /// Every output byte since `output_from`.
    output: Vec<u8>,
    output_from: u64,
    /// Output before this index was looked at by an `expect`.
    looked: usize,
    input: Input,
    /// What came with the first frame when output was replayed.
    pub replay: Option<Replay>,
    /// What the page would say outside the grid.
    pub notices: Vec<Notice>,
    /// How the shell ended, if it has.
    pub exit: Option<Exit>,
    closed: Option<Closed>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// By a Close frame.
    Code(u16, String),
    /// Without one, as when the process was killed.
    Cut,
}

/// Where a dropped connection got to: what a page keeps to resume.
#[derive(Debug, Clone)]
pub struct Dropped {
    epoch: u32,
    output: Vec<u8>,
    output_from: u64,
    looked: usize,
    input: Input,
}

impl Terminal {
    /// Attaches with a fresh screen.
    ///
    /// # Errors
    /// [`Refused`] tells at which step and how.
    pub async fn attach(door: &Door) -> Result<Self, Refused> {
        let ticket = door.ticket().await?;
        Self::attach_with(door, &ticket, None).await
    }

    /// Attaches again where a dropped connection got to.
    ///
    /// # Errors
    /// [`Refused`] tells at which step and how.
    pub async fn resume(door: &Door, dropped: Dropped) -> Result<Self, Refused> {
        let ticket = door.ticket().await?;
        Self::attach_with(door, &ticket, Some(dropped)).await
    }

    /// Attaches with a ticket that is there already.
    ///
    /// # Errors
    /// [`Refused`] tells at which step and how.
    pub async fn attach_with(
        door: &Door,
        ticket: &str,
        dropped: Option<Dropped>,
    ) -> Result<Self, Refused> {
        let mut socket = dial(door, Some(door.origin.as_str())).await?;
        let resume = dropped.as_ref().map(Dropped::place);
        let hello = Hello {
            ticket: ticket.to_owned().into(),
            columns: 100,
            rows: 30,
            resume,
            page: None,
            attach: None,
            capabilities: Vec::new(),
        };
        let hello = ClientFrame::Hello(hello).encode();
        socket
            .send(Message::Binary(hello))
            .await
            .map_err(|_| Refused::cut())?;
        let welcome = await_welcome(&mut socket).await?;
        let mut terminal = Self::welcomed(socket, welcome, dropped);
        terminal.send_input().await;
        Ok(terminal)
    }

    fn welcomed(
        socket: WebSocketStream<TcpStream>,
        welcome: Welcome,
        dropped: Option<Dropped>,
    ) -> Self {
        let mut terminal = Self {
            socket,
            output: Vec::new(),
            output_from: welcome.replay_from,
            looked: 0,
            input: Input::new(welcome.input_offset, welcome.input_window),
            replay: None,
            notices: Vec::new(),
            exit: None,
            closed: None,
            welcome,
        };
        if let Some(dropped) = dropped {
            let place = dropped.output_from + length(&dropped.output);
            assert_eq!(
                terminal.welcome.replay_from, place,
                "a resumed terminal goes on exactly where the last one ended"
            );
            terminal.output = dropped.output;
            terminal.output_from = dropped.output_from;
            terminal.looked = dropped.looked;
            terminal.input = dropped.input;
            let (offset, window) = (terminal.welcome.input_offset, terminal.welcome.input_window);
            terminal.input.continue_from(offset, window);
        }
        terminal
    }

    /// Types text, as fast as the server's credit allows.
    pub async fn type_text(&mut self, text: &str) {
        self.input.push(text.as_bytes());
        self.send_input().await;
    }

    /// Types a line and Return.
    pub async fn type_line(&mut self, line: &str) {
        self.type_text(&format!("{line}\r")).await;
    }

    /// Changes the size of the screen.
    pub async fn resize(&mut self, columns: u16, rows: u16) {
        self.send(&ClientFrame::Resize { columns, rows }).await;
    }

    /// Waits until the shell prints `text`, after what earlier calls found.
    ///
    /// The shell echoes what is typed, so ask for something it has to compute.
    pub async fn expect(&mut self, text: &str) {
        self.expect_within(text, SOON).await;
    }

    /// As [`Terminal::expect`], with a deadline of its own.
    pub async fn expect_within(&mut self, text: &str, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let fresh = &self.output[self.looked..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                self.looked += at + text.len();
                return;
            }
            let is_more = self.read_one(deadline).await;
            let closed = &self.closed;
            assert!(
                is_more,
                "never printed: {text:?}; closed: {closed:?}\n{}",
                self.tail()
            );
        }
    }

    /// Waits for `text` as [`Terminal::expect`] does; `false` when the server closes first.
    pub async fn finds_before_close(&mut self, text: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let fresh = &self.output[self.looked..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                self.looked += at + text.len();
                return true;
            }
            if !self.read_one(deadline).await {
                assert!(self.is_closed(), "never printed: {text:?}\n{}", self.tail());
                return false;
            }
        }
    }

    /// Whether the connection has ended, as far as was read.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Reads until a condition holds, and panics when it does not in time.
    pub async fn read_until(&mut self, what: &str, within: Duration, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + within;
        while !done(self) {
            let is_more = self.read_one(deadline).await;
            let closed = &self.closed;
            assert!(
                is_more,
                "waited in vain: {what}; closed: {closed:?}\n{}",
                self.tail()
            );
        }
    }

    /// Waits until the shell has printed so many bytes more, whatever they are, and passes them by.
    pub async fn pass_by(&mut self, count: usize, within: Duration) {
        let goal = self.looked + count;
        self.read_until("enough is printed", within, |terminal| {
            terminal.output.len() >= goal
        })
        .await;
        self.looked = goal;
    }

    /// Reads whatever comes for a while.
    pub async fn read_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.read_one(deadline).await {}
    }

    /// Waits until the server closes, and returns how.
    pub async fn closed_within(&mut self, within: Duration) -> Closed {
        let deadline = Instant::now() + within;
        while self.read_one(deadline).await {}
        let closed = self.closed.clone();
        closed.unwrap_or_else(|| panic!("the server did not close within {within:?}"))
    }

    /// Waits until the server closes with a code.
    pub async fn expect_close(&mut self, code: CloseCode, within: Duration) {
        match self.closed_within(within).await {
            Closed::Code(found, _) if found == code.number() => {}
            other => panic!("expected {code:?}, got {other:?}\n{}", self.tail()),
        }
    }

    /// Drops the connection without a word, as a network does.
    pub fn drop_connection(self) -> Dropped {
        self.place()
    }

    /// Where this connection has got to.
    pub fn place(&self) -> Dropped {
        Dropped {
            epoch: self.welcome.epoch,
            output: self.output.clone(),
            output_from: self.output_from,
            looked: self.looked,
            input: self.input.clone(),
        }
    }

    /// Every output byte so far.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The lines that were printed with this prefix and a number, in the order of their printing.
    ///
    /// The shell puts control sequences before the first line of a command's output, and echoes
    /// the command itself; neither is one of these lines.
    pub fn numbered(&self, prefix: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.output);
        let lines = text
            .lines()
            .filter_map(|line| line.rsplit('\r').find(|part| !part.is_empty()));
        let wanted = lines.filter(|line| {
            let rest = line.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        });
        wanted.map(str::to_owned).collect()
    }

    /// Everything typed has reached the shell.
    pub fn input_arrived(&self) -> bool {
        self.input.is_empty()
    }

    /// The end of the output, for a person.
    pub fn tail(&self) -> String {
        let from = self.output.len().saturating_sub(2000);
        String::from_utf8_lossy(&self.output[from..]).into_owned()
    }

    /// Reads one message; `false` when the connection has ended or the deadline has passed.
    async fn read_one(&mut self, deadline: Instant) -> bool {
        if self.closed.is_some() {
            return false;
        }
        let Ok(message) = tokio::time::timeout_at(deadline, self.socket.next()).await else {
            return false;
        };
        match message {
            Some(Ok(Message::Binary(message))) => self.take(&message).await,
            Some(Ok(Message::Close(frame))) => {
                let closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                self.closed =
                    Some(closed.map_or(Closed::Cut, |(code, why)| Closed::Code(code, why)));
            }
            Some(Ok(Message::Text(text))) => panic!("the server never sends text: {text}"),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => self.closed = Some(Closed::Cut),
        }
        true
    }

    async fn take(&mut self, message: &Bytes) {
        match ServerFrame::decode(message).expect("the server sends frames") {
            ServerFrame::Output { bytes } => {
                self.output.extend_from_slice(&bytes);
                let offset = self.output_from + length(&self.output);
                self.send(&ClientFrame::Ack { offset }).await;
            }
            ServerFrame::InputAck { offset, credit } => {
                self.input.acknowledged(offset, credit);
                self.send_input().await;
            }
            ServerFrame::Replay(replay) => {
                if replay.mark == ReplayMark::Begin {
                    self.replay = Some(replay);
                }
            }
            ServerFrame::Notice(notice) => self.notices.push(notice),
            ServerFrame::Exit(exit) => self.exit = Some(exit),
            ServerFrame::Welcome(_) => panic!("WELCOME comes once"),
            ServerFrame::Pong { .. } | ServerFrame::Ignored { .. } => {}
        }
    }

    async fn send_input(&mut self) {
        while let Some((offset, bytes)) = self.input.next_frame() {
            self.send(&ClientFrame::Input { offset, bytes }).await;
        }
    }

    /// Sends a frame; that the connection has ended is found by the next read.
    async fn send(&mut self, frame: &ClientFrame) {
        self.socket.send(Message::Binary(frame.encode())).await.ok();
    }
}

impl Dropped {
    fn place(&self) -> Resume {
        Resume {
            epoch: self.epoch,
            output_offset: self.output_from + length(&self.output),
            input_offset: self.input.sent(),
        }
    }
}

async fn await_welcome(socket: &mut WebSocketStream<TcpStream>) -> Result<Welcome, Refused> {
    let first = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(message))) => match ServerFrame::decode(&message) {
                    Ok(ServerFrame::Welcome(welcome)) => return Ok(welcome),
                    other => panic!("WELCOME is the first frame, got {other:?}"),
                },
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Refused::Closed(frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Refused::cut()),
            }
        }
    };
    let welcome = tokio::time::timeout(SOON, first).await;
    welcome.unwrap_or_else(|_| panic!("no WELCOME within {SOON:?}"))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a test's output is short")
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
