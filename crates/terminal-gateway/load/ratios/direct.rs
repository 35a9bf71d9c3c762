//! A client of the exec server without a gateway between, and what both kinds of client do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use carrel_keeper::frames::Open;
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use environment_access::wire::{self, ServerFrame};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::browser::{Browser, Came};
use crate::gateway::Running;
use crate::keeper::TestKeeper;
use crate::pattern;
use crate::serving::connect;

/// One way to a shell.
pub(crate) trait Line {
    /// Types, beginning at an offset.
    async fn type_at(&mut self, offset: u64, bytes: &[u8]);
    /// Takes in the next output, acknowledges it at once, and says what came and from where on.
    async fn output(&mut self) -> (u64, Bytes);
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A client that is the gateway's own kind of client.
pub(crate) struct Direct {
    reader: Reader,
    writer: Writer,
    decoder: Decoder<KeeperFrame>,
}

impl Direct {
    pub(crate) async fn open(running: &Running, name: &str) -> (Self, TestKeeper) {
        let (reader, writer) = connect(running.keeper, name).await.unwrap().into_split();
        let direct = Self::over(Box::new(reader), Box::new(writer)).await;
        (direct, running.shells.named(name))
    }

    /// Opens a shell over a stream that leads to it.
    pub(crate) async fn over(reader: Reader, writer: Writer) -> Self {
        let mut direct = Self {
            reader,
            writer,
            decoder: Decoder::new(),
        };
        let open = Open {
            epoch: 1,
            cols: 80,
            rows: 24,
            resume: None,
        };
        direct.say(&ClientFrame::Open(open)).await;
        direct
    }

    async fn say(&mut self, frame: &ClientFrame) {
        let bytes = frame.to_bytes().unwrap();
        self.writer.write_all(&bytes).await.unwrap();
    }
}

impl Line for Direct {
    async fn type_at(&mut self, offset: u64, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        let in_off = offset;
        self.say(&ClientFrame::Input { in_off, bytes }).await;
    }

    async fn output(&mut self) -> (u64, Bytes) {
        loop {
            while let Some(frame) = self.decoder.next_frame().unwrap() {
                if let KeeperFrame::Output { off, bytes } = frame {
                    let out_off = off + bytes.len() as u64;
                    self.say(&ClientFrame::Ack { out_off }).await;
                    return (off, bytes);
                }
            }
            let buffer = self.decoder.buffer_mut();
            buffer.reserve(32 * 1024);
            assert!(self.reader.read_buf(buffer).await.unwrap() > 0, "closed");
        }
    }
}

/// A browser that acknowledges at once.
pub(crate) struct Page {
    pub(crate) browser: Browser,
    taken: u64,
}

impl Page {
    pub(crate) fn new(browser: Browser) -> Self {
        Self { browser, taken: 0 }
    }
}

impl Line for Page {
    async fn type_at(&mut self, offset: u64, bytes: &[u8]) {
        self.browser.type_at(offset, bytes).await;
    }

    async fn output(&mut self) -> (u64, Bytes) {
        loop {
            match self.browser.next().await {
                Came::Frame(ServerFrame::Output { bytes }) => {
                    let from = self.taken;
                    self.taken += bytes.len() as u64;
                    let offset = self.taken;
                    self.browser.send(wire::ClientFrame::Ack { offset }).await;
                    return (from, bytes);
                }
                Came::Frame(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Types one byte and waits for its echo.
pub(crate) async fn echo(line: &mut impl Line, offset: u64) -> Duration {
    let begun = Instant::now();
    line.type_at(offset, b"k").await;
    line.output().await;
    begun.elapsed()
}

/// Takes so much output, sees that it is what was printed, and says how long that takes.
pub(crate) async fn bulk(line: &mut impl Line, keeper: &TestKeeper, length: u64) -> Duration {
    let begun = Instant::now();
    keeper.print_pattern(length);
    let mut taken = 0;
    while taken < length {
        let (from, bytes) = line.output().await;
        assert!(
            pattern::is_at(from, &bytes),
            "other bytes than were printed"
        );
        taken += bytes.len() as u64;
    }
    begun.elapsed()
}
