//! A keeper and the runtime that leads to it: one shell that echoes what it is given.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrel_keeper::frames::{Exit, Open, Opened, RefusalCode, Refused, Superseded, WINDOW};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use execution_environment::{AttachStreams, RuntimeError, RuntimeName};
use failure_classification::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::sync::watch;

use crate::browser::PATIENCE;
use crate::door::{Door, not_there};

/// Bytes under way in a leg: small, so that back-pressure is felt.
const PIPE: usize = 64 * 1024;

/// What the shell has seen and said, whoever is attached.
#[derive(Debug, Default)]
pub(crate) struct Shell {
    /// Every typed byte that arrived.
    pub(crate) typed: Vec<u8>,
    /// Every byte printed.
    pub(crate) printed: Vec<u8>,
    /// The sizes it was given.
    pub(crate) sizes: Vec<(u16, u16)>,
    /// How often a leg was opened.
    pub(crate) opens: u32,
    /// Where the newest leg wanted to go on; `None` for all there is.
    pub(crate) asked_from: Option<u64>,
    /// Up to where output may be forgotten.
    pub(crate) acked: u64,
    /// From where output is still kept.
    pub(crate) kept_from: u64,
    epoch: i64,
    exited: bool,
    /// The leg is to be refused, once.
    refuses: bool,
}

/// The far side of every leg.
#[derive(Debug, Clone)]
pub(crate) struct TestKeeper {
    pub(crate) shell: Arc<Mutex<Shell>>,
    /// Counts up when the shell's state changes or every leg is to break.
    changed: watch::Sender<u64>,
    breaks: watch::Sender<u64>,
    /// Whether it can be reached.
    pub(crate) is_away: Arc<AtomicBool>,
    /// Whether its environment is no more.
    pub(crate) is_gone: Arc<AtomicBool>,
    /// Those of other environments, by name. Every other name leads here.
    beside: Arc<Mutex<HashMap<String, TestKeeper>>>,
    /// Whether execs that are starting here stay so.
    pub(crate) hold_starts: watch::Sender<bool>,
    /// Execs that are starting here or beside: now, and at most so far.
    pub(crate) starting: Arc<Mutex<(usize, usize)>>,
}

impl TestKeeper {
    pub(crate) fn new() -> Self {
        let (changed, breaks) = (watch::channel(0).0, watch::channel(0).0);
        Self {
            shell: Arc::default(),
            changed,
            breaks,
            is_away: Arc::default(),
            is_gone: Arc::default(),
            beside: Arc::default(),
            hold_starts: watch::channel(false).0,
            starting: Arc::default(),
        }
    }

    /// The keeper of another environment.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let keeper = Self::new();
        let mut beside = self.beside.lock().unwrap();
        beside.insert(name.to_owned(), keeper.clone());
        keeper
    }

    fn named(&self, name: &RuntimeName) -> Self {
        let beside = self.beside.lock().unwrap();
        beside.get(name.as_str()).unwrap_or(self).clone()
    }

    /// Starting takes a moment, in which others may come.
    async fn start(&self) {
        {
            let mut starting = self.starting.lock().unwrap();
            starting.0 += 1;
            starting.1 = starting.1.max(starting.0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut held = self.hold_starts.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        self.starting.lock().unwrap().0 -= 1;
    }

    pub(crate) fn print(&self, bytes: &[u8]) {
        self.shell.lock().unwrap().printed.extend_from_slice(bytes);
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn exit(&self) {
        self.shell.lock().unwrap().exited = true;
        self.changed.send_modify(|count| *count += 1);
    }

    /// Ends the leg with a refusal that its terminal ends with.
    pub(crate) fn refuse(&self) {
        self.shell.lock().unwrap().refuses = true;
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn break_legs(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }

    pub(crate) fn printed(&self) -> Vec<u8> {
        self.shell.lock().unwrap().printed.clone()
    }

    /// The sizes it was given, once there are so many.
    pub(crate) async fn sizes(&self, many: usize) -> Vec<(u16, u16)> {
        let mut changed = self.changed.subscribe();
        let given = async {
            loop {
                let sizes = self.shell.lock().unwrap().sizes.clone();
                if sizes.len() >= many {
                    return sizes;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, given)
            .await
            .expect("the sizes come in time")
    }

    pub(crate) fn typed(&self) -> Vec<u8> {
        self.shell.lock().unwrap().typed.clone()
    }
}

/// One leg's far end.
struct Stream {
    keeper: TestKeeper,
    socket: DuplexStream,
    decoder: Decoder<ClientFrame>,
    epoch: i64,
    sent: usize,
    acked: usize,
}

impl Stream {
    async fn run(mut self) {
        let mut breaks = self.keeper.breaks.subscribe();
        let mut changed = self.keeper.changed.subscribe();
        loop {
            while let Ok(Some(frame)) = self.decoder.next_frame() {
                self.frame(frame).await;
            }
            if !self.flush().await {
                return;
            }
            tokio::select! {
                _ = breaks.changed() => return,
                _ = changed.changed() => {}
                read = self.socket.read_buf(self.decoder.buffer_mut()) => {
                    if read.unwrap_or(0) == 0 {
                        return;
                    }
                }
            }
        }
    }

    async fn frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Open(open) => self.open(&open).await,
            ClientFrame::Input { in_off, bytes } => self.input(in_off, &bytes).await,
            ClientFrame::Resize(size) => {
                let mut shell = self.keeper.shell.lock().unwrap();
                shell.sizes.push((size.cols, size.rows));
                drop(shell);
                self.keeper.changed.send_modify(|count| *count += 1);
            }
            ClientFrame::Ack { out_off } => {
                let mut shell = self.keeper.shell.lock().unwrap();
                shell.acked = shell.acked.max(out_off);
                self.acked = self.acked.max(usize::try_from(out_off).unwrap());
            }
            ClientFrame::Ping { token } => self.say(KeeperFrame::Pong { token }).await,
        }
    }

    async fn open(&mut self, open: &Open) {
        self.epoch = open.epoch;
        let opened = {
            let mut shell = self.keeper.shell.lock().unwrap();
            shell.epoch = open.epoch;
            shell.opens += 1;
            shell.asked_from = open.resume.map(|place| place.out_off);
            shell.sizes.push((open.cols, open.rows));
            let asked = open.resume.map_or(0, |place| place.out_off);
            let from = asked.max(shell.kept_from);
            self.sent = usize::try_from(from).unwrap();
            self.acked = self.sent;
            Opened {
                shell_epoch: 1,
                out_off: shell.printed.len() as u64,
                in_off: shell.typed.len() as u64,
                replay_from: from,
                truncated: asked < from,
                alive: true,
            }
        };
        self.keeper.changed.send_modify(|count| *count += 1);
        self.say(KeeperFrame::Opened(opened)).await;
    }

    async fn input(&mut self, offset: u64, bytes: &[u8]) {
        let in_off = {
            let mut shell = self.keeper.shell.lock().unwrap();
            if shell.epoch == self.epoch {
                let known = shell.typed.len() - usize::try_from(offset).unwrap();
                let news = &bytes[known.min(bytes.len())..];
                shell.typed.extend_from_slice(news);
                shell.printed.extend_from_slice(news);
            }
            shell.typed.len() as u64
        };
        self.say(KeeperFrame::InputAck { in_off }).await;
    }

    /// Sends what was printed; says whether the stream goes on.
    async fn flush(&mut self) -> bool {
        if self.is_refused() {
            let refused = Refused {
                code: RefusalCode::InputGap,
                message: "typed bytes are missing".to_owned(),
            };
            self.say(KeeperFrame::Refused(refused)).await;
            return false;
        }
        let (output, superseded, exited) = {
            let shell = self.keeper.shell.lock().unwrap();
            let window = self.acked + usize::try_from(WINDOW).unwrap();
            let end = shell.printed.len().min(self.sent + 16 * 1024).min(window);
            let superseded = (self.epoch != 0 && shell.epoch > self.epoch).then_some(shell.epoch);
            let exited = shell.exited && self.epoch != 0 && end == shell.printed.len();
            (shell.printed[self.sent..end].to_vec(), superseded, exited)
        };
        if let Some(epoch) = superseded {
            self.say(KeeperFrame::Superseded(Superseded { epoch }))
                .await;
            return false;
        }
        if self.epoch != 0 && !output.is_empty() {
            let off = self.sent as u64;
            self.sent += output.len();
            self.say(KeeperFrame::Output {
                off,
                bytes: output.into(),
            })
            .await;
            self.keeper.changed.send_modify(|count| *count += 1);
        }
        if exited {
            self.say(KeeperFrame::Exit(Exit {
                shell_epoch: 1,
                code: Some(3),
                signal: None,
            }))
            .await;
        }
        !exited
    }

    fn is_refused(&self) -> bool {
        let refuses = &mut self.keeper.shell.lock().unwrap().refuses;
        self.epoch != 0 && std::mem::take(refuses)
    }

    async fn say(&mut self, frame: KeeperFrame) {
        self.socket.write_all(&frame.to_bytes().unwrap()).await.ok();
    }
}

/// Says that there is no such environment any more.
fn vanished() -> RuntimeError {
    let signal = Signal::Vanished {
        expected_uid: None,
        found_uid: None,
    };
    RuntimeError::new("attach", signal)
}

/// Leads to a keeper.
#[derive(Debug)]
pub(crate) struct KeeperDoor(pub(crate) TestKeeper);

#[async_trait]
impl Door for KeeperDoor {
    async fn open(&self, name: &RuntimeName) -> Result<AttachStreams, RuntimeError> {
        self.0.start().await;
        let keeper = self.0.named(name);
        if keeper.is_gone.load(Ordering::SeqCst) {
            return Err(vanished());
        }
        if keeper.is_away.load(Ordering::SeqCst) {
            return Err(not_there("attach"));
        }
        let (ours, theirs) = duplex(PIPE);
        let stream = Stream {
            keeper,
            socket: theirs,
            decoder: Decoder::new(),
            epoch: 0,
            sent: 0,
            acked: 0,
        };
        tokio::spawn(stream.run());
        let (reader, writer) = split(ours);
        Ok(AttachStreams {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}
