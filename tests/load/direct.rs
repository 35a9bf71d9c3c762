//! A terminal past the gateway: keeper frames on the engine's own stream.

use bytes::Bytes;
use carrel_keeper::frames::Open;
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use execution_environment::{AttachRequest, AttachStreams, EnvironmentRuntime as _};
use system_tests::wait::{SOON, in_time};
use system_tests::{Candidate, TestSystem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Nobody else attaches to the environment.
const EPOCH: i64 = 1;

pub(crate) struct DirectTerminal {
    streams: AttachStreams,
    decoder: Decoder<KeeperFrame>,
    in_off: u64,
    /// Output that no `expect` has found yet.
    fresh: Vec<u8>,
}

impl DirectTerminal {
    pub(crate) async fn attach(system: &TestSystem, candidate: &Candidate) -> Self {
        let listed = system.environments().await;
        let found = listed
            .into_iter()
            .find(|one| one.labels.session_id.to_string() == candidate.session_id);
        let found = found.expect("a ready session has an environment");
        let request = AttachRequest { epoch: EPOCH };
        let attached = system
            .runtime
            .engine()
            .runtime
            .attach(&found.name, &found.uid, &request);
        let mut terminal = Self {
            streams: attached.await.expect("the engine attaches"),
            decoder: Decoder::new(),
            in_off: 0,
            fresh: Vec::new(),
        };
        terminal.open().await;
        terminal
    }

    async fn open(&mut self) {
        let open = Open {
            epoch: EPOCH,
            cols: 100,
            rows: 30,
            resume: None,
        };
        self.send(&ClientFrame::Open(open)).await;
        match self.next().await {
            KeeperFrame::Opened(opened) => self.in_off = opened.in_off,
            other => panic!("OPENED is the first frame, got {other:?}"),
        }
    }

    pub(crate) async fn type_text(&mut self, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let in_off = self.in_off;
        self.in_off += length(&bytes);
        self.send(&ClientFrame::Input { in_off, bytes }).await;
    }

    /// Waits until `text` is printed, after what earlier calls found.
    pub(crate) async fn expect(&mut self, text: &str) {
        loop {
            let found = self
                .fresh
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.fresh.drain(..at + text.len());
                return;
            }
            match self.next().await {
                KeeperFrame::Output { off, bytes } => {
                    self.fresh.extend_from_slice(&bytes);
                    let out_off = off + length(&bytes);
                    self.send(&ClientFrame::Ack { out_off }).await;
                }
                KeeperFrame::InputAck { .. } | KeeperFrame::Pong { .. } => {}
                other => panic!("the terminal ended: {other:?}"),
            }
        }
    }

    async fn next(&mut self) -> KeeperFrame {
        let Self {
            streams, decoder, ..
        } = self;
        let frame = async {
            loop {
                if let Some(frame) = decoder.next_frame().expect("the keeper sends frames") {
                    return frame;
                }
                let count = streams.reader.read_buf(decoder.buffer_mut()).await;
                assert_ne!(count.expect("the stream is whole"), 0, "the stream ended");
            }
        };
        in_time("a frame of the keeper", SOON, frame).await
    }

    async fn send(&mut self, frame: &ClientFrame) {
        let bytes = frame.to_bytes().expect("the frame is small");
        let writer = &mut self.streams.writer;
        writer.write_all(&bytes).await.expect("the stream is open");
        writer.flush().await.expect("the stream is open");
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("a test's output is short")
}
