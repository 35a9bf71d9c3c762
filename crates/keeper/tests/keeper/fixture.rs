//! A keeper of its own for each test, and a client whose every wait has a deadline.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use carrel_keeper::frames::{Exit, MAX_PAYLOAD, Open, Opened, Refused, Resume, WindowSize};
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_carrel-keeper");

/// For anything that should happen at once on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Checks `done` until it holds.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(
            Instant::now() < end,
            "{what} did not happen in {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Copies the program by a process of its own: a file that this one writes cannot be run while a
/// neighbouring test's child has yet to close what it inherited.
pub(crate) fn copy_binary(to: &Path) {
    let copied = Command::new("cp").arg(BINARY).arg(to).status().unwrap();
    assert!(copied.success(), "{copied}");
}

/// A running keeper, ended with the test.
pub(crate) struct Keeper {
    /// Its standard error. On the suite's own it would come into the middle of the suite's lines.
    said: File,
    pub(crate) process: Child,
    pub(crate) folder: TempDir,
}

impl Keeper {
    /// Starts a keeper for a quiet bash.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::spawn(Command::new(BINARY), flags)
    }

    /// Starts `command`, which must run the keeper with the arguments added here.
    pub(crate) fn spawn(mut command: Command, flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        command
            .arg("run")
            .arg("--socket")
            .arg(folder.path().join("socket"));
        command.arg("--workdir").arg(folder.path()).args(flags);
        command
            .args(["--", "bash", "--norc", "--noprofile"])
            .env("PS1", "$ ");
        let said = tempfile::tempfile().unwrap();
        command.stderr(said.try_clone().unwrap());
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        let keeper = Self {
            said,
            process,
            folder,
        };
        wait_until("the socket", || {
            UnixStream::connect(keeper.socket()).is_ok()
        });
        keeper
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.id().try_into().unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(UnixStream::connect(self.socket()).unwrap())
    }

    /// Attaches and expects to be let in.
    pub(crate) fn open(&self, epoch: i64, resume: Option<Resume>) -> Client {
        let mut client = self.connect();
        client.send_open(epoch, resume);
        client.expect_opened();
        client
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            Command::new(BINARY)
                .arg("stop")
                .arg("--socket")
                .arg(self.socket())
                .status()
                .ok();
        }
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking() {
            let mut said = Vec::new();
            self.said.rewind().ok();
            self.said.read_to_end(&mut said).ok();
            std::io::Write::write_all(&mut std::io::stderr(), &said).ok();
        }
    }
}

/// One stream to the keeper.
pub(crate) struct Client {
    pub(crate) socket: UnixStream,
    decoder: Decoder<KeeperFrame>,
    pub(crate) opened: Option<Opened>,
    /// All output received, and the offset it began at.
    pub(crate) output: Vec<u8>,
    pub(crate) begin: u64,
    in_off: u64,
    pub(crate) input_acked: u64,
    /// Whether output is acknowledged as it comes.
    pub(crate) acks: bool,
}

impl Client {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            decoder: Decoder::new(),
            opened: None,
            output: Vec::new(),
            begin: 0,
            in_off: 0,
            input_acked: 0,
            acks: true,
        }
    }

    pub(crate) fn send(&mut self, frame: &ClientFrame) {
        self.socket.write_all(&frame.to_bytes().unwrap()).unwrap();
    }

    pub(crate) fn send_open(&mut self, epoch: i64, resume: Option<Resume>) {
        self.send(&ClientFrame::Open(Open {
            epoch,
            cols: 80,
            rows: 24,
            resume,
        }));
    }

    pub(crate) fn expect_opened(&mut self) -> Opened {
        match self.frame() {
            Some(KeeperFrame::Opened(opened)) => {
                self.begin = opened.replay_from;
                self.in_off = opened.in_off;
                self.opened = Some(opened.clone());
                opened
            }
            other => panic!("expected OPENED, got {other:?}"),
        }
    }

    pub(crate) fn expect_refused(&mut self) -> Refused {
        match self.frame() {
            Some(KeeperFrame::Refused(refused)) => refused,
            other => panic!("expected REFUSED, got {other:?}"),
        }
    }

    /// Returns the next frame; `None` when the keeper closed the stream.
    pub(crate) fn frame(&mut self) -> Option<KeeperFrame> {
        self.frame_within(PATIENCE).expect("a frame in time")
    }

    /// Returns the next frame, `Ok(None)` at the end, `Err` when nothing came in time.
    pub(crate) fn frame_within(&mut self, limit: Duration) -> Result<Option<KeeperFrame>, ()> {
        let end = Instant::now() + limit;
        let mut buffer = vec![0; 65536];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                self.note(&frame);
                return Ok(Some(frame));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(());
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn note(&mut self, frame: &KeeperFrame) {
        match frame {
            KeeperFrame::Output { off, bytes } => {
                assert_eq!(*off, self.end(), "output continues where it was");
                assert!(bytes.len() <= MAX_PAYLOAD);
                self.output.extend_from_slice(bytes);
                if self.acks {
                    self.ack(self.end());
                }
            }
            KeeperFrame::InputAck { in_off } => self.input_acked = *in_off,
            _ => {}
        }
    }

    /// Returns the offset behind the last byte received.
    pub(crate) fn end(&self) -> u64 {
        self.begin + self.output.len() as u64
    }

    pub(crate) fn place(&self) -> Resume {
        let opened = self.opened.as_ref().unwrap();
        Resume {
            shell_epoch: opened.shell_epoch,
            out_off: self.end(),
        }
    }

    pub(crate) fn ack(&mut self, out_off: u64) {
        // A stream that the keeper closed meanwhile shows itself in the next read.
        self.socket
            .write_all(&ClientFrame::Ack { out_off }.to_bytes().unwrap())
            .ok();
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.type_at(self.in_off, text);
        self.in_off += text.len() as u64;
    }

    pub(crate) fn type_at(&mut self, in_off: u64, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.send(&ClientFrame::Input { in_off, bytes });
    }

    pub(crate) fn resize(&mut self, cols: u16, rows: u16) {
        self.send(&ClientFrame::Resize(WindowSize { cols, rows }));
    }

    /// Reads until the output contains `needle`.
    pub(crate) fn expect(&mut self, needle: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.shows(needle) {
            let left = end.saturating_duration_since(Instant::now());
            match self.frame_within(left) {
                Ok(Some(_)) => {}
                ended => panic!("no {needle:?} ({ended:?}) in {:?}", self.text()),
            }
        }
    }

    pub(crate) fn shows(&self, needle: &str) -> bool {
        self.output
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Reads until EXIT.
    pub(crate) fn expect_exit(&mut self) -> Exit {
        loop {
            match self.frame() {
                Some(KeeperFrame::Exit(exit)) => return exit,
                Some(_) => {}
                None => panic!("the stream ended without EXIT: {:?}", self.text()),
            }
        }
    }

    /// Reads whatever comes until nothing came for `quiet`; returns the frames.
    pub(crate) fn drain(&mut self, quiet: Duration) -> Vec<KeeperFrame> {
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = self.frame_within(quiet) {
            frames.push(frame);
        }
        frames
    }
}
