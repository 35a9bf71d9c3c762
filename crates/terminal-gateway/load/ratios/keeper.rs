//! An exec server: shells that are reached by name over plain TCP and speak the keeper's frames.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use carrel_keeper::frames::{Opened, WINDOW};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const CHUNK: usize = 16 * 1024;
/// Bytes written ahead of the socket.
const AHEAD: usize = 4 * CHUNK;

/// One shell: it echoes, or prints a pattern and swallows what is typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestKeeper(Arc<Shell>);

#[derive(Debug, Default)]
struct Shell {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    typed: Vec<u8>,
    printed: Vec<u8>,
    /// Where the pattern ends, if that is what is printed.
    pattern: Option<u64>,
    epoch: i64,
    typed_at: Option<Instant>,
}

impl TestKeeper {
    pub(crate) fn typed(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().typed.clone()
    }

    pub(crate) fn printed(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().printed.clone()
    }

    /// When the last typed byte came.
    pub(crate) fn typed_at(&self) -> Option<Instant> {
        self.0.state.lock().unwrap().typed_at
    }

    /// Prints so many bytes more of a pattern.
    pub(crate) fn print_pattern(&self, length: u64) {
        let mut state = self.0.state.lock().unwrap();
        let end = state.pattern.unwrap_or(0);
        state.pattern = Some(end.saturating_add(length));
        self.0.changed.notify_one();
    }
}

/// Every shell there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shells(Arc<Mutex<HashMap<String, TestKeeper>>>);

impl Shells {
    /// Listens for execs.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shells = self.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(shells.clone().serve(socket));
            }
        });
        address
    }

    /// The shell of a name, which begins with the first who asks.
    pub(crate) fn named(&self, name: &str) -> TestKeeper {
        let mut shells = self.0.lock().unwrap();
        shells.entry(name.to_owned()).or_default().clone()
    }

    async fn serve(self, socket: TcpStream) {
        socket.set_nodelay(true).unwrap();
        let mut socket = BufReader::new(socket);
        let mut name = String::new();
        if socket.read_line(&mut name).await.is_ok() {
            let stream = Stream::new(self.named(name.trim()));
            stream.run(socket).await;
        }
    }
}

/// One exec.
struct Stream {
    keeper: TestKeeper,
    decoder: Decoder<ClientFrame>,
    out: BytesMut,
    epoch: i64,
    sent: u64,
    acked: u64,
    pattern: Bytes,
}

impl Stream {
    fn new(keeper: TestKeeper) -> Self {
        let pattern = (0..CHUNK).map(|index| b'!' + u8::try_from(index % 89).unwrap());
        Self {
            keeper,
            decoder: Decoder::new(),
            out: BytesMut::new(),
            epoch: 0,
            sent: 0,
            acked: 0,
            pattern: pattern.collect(),
        }
    }

    async fn run(mut self, socket: BufReader<TcpStream>) {
        let (mut reader, mut writer) = tokio::io::split(socket);
        let keeper = self.keeper.clone();
        loop {
            while let Ok(Some(frame)) = self.decoder.next_frame() {
                self.frame(frame);
            }
            self.fill();
            tokio::select! {
                biased;
                read = reader.read_buf(self.decoder.buffer_mut()) => {
                    if read.unwrap_or(0) == 0 {
                        return;
                    }
                }
                wrote = writer.write(&self.out), if !self.out.is_empty() => match wrote {
                    Ok(count) => self.out.advance(count),
                    Err(_) => return,
                },
                () = keeper.0.changed.notified() => {}
            }
        }
    }

    fn frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Open(open) => {
                self.epoch = open.epoch;
                self.sent = open.resume.map_or(0, |place| place.out_off);
                self.acked = self.sent;
                self.opened();
            }
            ClientFrame::Input { in_off, bytes } => self.input(in_off, &bytes),
            ClientFrame::Ack { out_off } => self.acked = self.acked.max(out_off),
            ClientFrame::Ping { token } => self.say(&KeeperFrame::Pong { token }),
            ClientFrame::Resize(_) => {}
        }
    }

    fn opened(&mut self) {
        let opened = {
            let mut state = self.keeper.0.state.lock().unwrap();
            state.epoch = self.epoch;
            Opened {
                shell_epoch: 1,
                out_off: state.end(),
                in_off: state.typed.len() as u64,
                replay_from: self.sent,
                truncated: false,
                alive: true,
            }
        };
        self.say(&KeeperFrame::Opened(opened));
    }

    fn input(&mut self, in_off: u64, bytes: &[u8]) {
        let in_off = {
            let mut state = self.keeper.0.state.lock().unwrap();
            if state.epoch == self.epoch {
                let known = state.typed.len() - usize::try_from(in_off).unwrap();
                let news = &bytes[known.min(bytes.len())..];
                state.typed.extend_from_slice(news);
                state.typed_at = Some(Instant::now());
                if state.pattern.is_none() {
                    state.printed.extend_from_slice(news);
                }
            }
            state.typed.len() as u64
        };
        self.say(&KeeperFrame::InputAck { in_off });
    }

    /// Takes output that the window has room for.
    fn fill(&mut self) {
        while self.epoch != 0 && self.out.len() < AHEAD {
            let bytes = {
                let state = self.keeper.0.state.lock().unwrap();
                let end = state.end().min(self.acked + WINDOW);
                let room = end.saturating_sub(self.sent).min(CHUNK as u64);
                let room = usize::try_from(room).unwrap();
                if state.pattern.is_some() {
                    self.pattern.slice(..room)
                } else {
                    let from = usize::try_from(self.sent).unwrap();
                    Bytes::copy_from_slice(&state.printed[from..from + room])
                }
            };
            if bytes.is_empty() {
                return;
            }
            let off = self.sent;
            self.sent += bytes.len() as u64;
            self.say(&KeeperFrame::Output { off, bytes });
        }
    }

    fn say(&mut self, frame: &KeeperFrame) {
        frame.encode(&mut self.out).unwrap();
    }
}

impl State {
    fn end(&self) -> u64 {
        self.pattern.unwrap_or(self.printed.len() as u64)
    }
}
