//! One exec's end at a played shell: frames in, frames out, and nothing of how they travel.

use bytes::{Buf as _, BytesMut};
use carrel_keeper::frames::{Exit, Opened, WINDOW};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::TestKeeper;
use crate::pattern::CHUNK;

/// Bytes written ahead of what carries them.
const AHEAD: usize = 4 * CHUNK;

/// One exec.
pub(crate) struct Stream {
    keeper: TestKeeper,
    decoder: Decoder<ClientFrame>,
    /// What waits to be carried away.
    pub(crate) out: BytesMut,
    epoch: i64,
    sent: u64,
    acked: u64,
    /// Nothing comes behind what waits.
    ends: bool,
}

impl Stream {
    pub(super) fn new(keeper: TestKeeper) -> Self {
        Self {
            keeper,
            decoder: Decoder::new(),
            out: BytesMut::new(),
            epoch: 0,
            sent: 0,
            acked: 0,
            ends: false,
        }
    }

    /// Where what came in goes.
    pub(crate) fn incoming(&mut self) -> &mut BytesMut {
        self.decoder.buffer_mut()
    }

    /// What changes when the shell has news.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.keeper.0.changed.subscribe()
    }

    /// Whether everything was said that will ever be.
    pub(crate) fn is_over(&self) -> bool {
        self.ends && self.out.is_empty()
    }

    pub(super) async fn run(mut self, socket: BufReader<TcpStream>) {
        let (mut reader, mut writer) = tokio::io::split(socket);
        let mut news = self.news();
        loop {
            self.turn();
            if self.is_over() {
                return;
            }
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
                _ = news.changed() => {}
            }
        }
    }

    /// Answers what came in, and takes output that the window has room for.
    pub(crate) fn turn(&mut self) {
        while let Ok(Some(frame)) = self.decoder.next_frame() {
            self.frame(frame);
        }
        self.fill();
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
                state.typed_at = Some(std::time::Instant::now());
                if state.pattern.is_none() {
                    state.printed.extend_from_slice(news);
                }
            }
            state.typed.len() as u64
        };
        self.say(&KeeperFrame::InputAck { in_off });
    }

    fn fill(&mut self) {
        while self.epoch != 0 && self.out.len() < AHEAD && !self.ends {
            let (bytes, exits) = {
                let state = self.keeper.0.state.lock().unwrap();
                let end = state.end().min(self.acked + WINDOW);
                let room = end.saturating_sub(self.sent).min(CHUNK as u64);
                let exits = state.exited && self.sent == state.end();
                (
                    state.output(self.sent, usize::try_from(room).unwrap()),
                    exits,
                )
            };
            if exits {
                self.say(&KeeperFrame::Exit(Exit {
                    shell_epoch: 1,
                    code: Some(0),
                    signal: None,
                }));
                self.ends = true;
            }
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
