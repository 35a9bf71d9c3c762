//! A terminal past the gateway: keeper frames on the runtime's own stream.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carrel_keeper::frames::Open;
use carrel_keeper::{ClientFrame, Decoder, Frame as _, KeeperFrame};
use execution_environment::{AttachRequest, AttachStreams, EnvironmentRuntime};
use system_tests::kubernetes::Account;
use system_tests::runtime::TestRuntime;
use system_tests::wait::{SOON, in_time};
use system_tests::{Candidate, TestSystem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Fresh, Line, PATIENCE};

/// Nobody else attaches to the environment.
const EPOCH: i64 = 1;

pub(super) struct DirectTerminal {
    streams: AttachStreams,
    decoder: Decoder<KeeperFrame>,
    in_off: u64,
    fresh: Fresh,
}

impl DirectTerminal {
    pub(super) async fn attach(system: &TestSystem, candidate: &Candidate) -> Self {
        let listed = system.environments().await;
        let found = listed
            .into_iter()
            .find(|one| one.labels.session_id.to_string() == candidate.session_id);
        let found = found.expect("a ready session has an environment");
        let request = AttachRequest { epoch: EPOCH };
        let runtime = runtime(system).await;
        let attached = runtime.attach(&found.name, &found.uid, &request).await;
        let mut terminal = Self {
            streams: attached.expect("the runtime attaches"),
            decoder: Decoder::new(),
            in_off: 0,
            fresh: Fresh::default(),
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

    async fn read_one(&mut self) {
        match self.next().await {
            KeeperFrame::Output { off, bytes } => {
                self.fresh.push(&bytes);
                let out_off = off + length(&bytes);
                self.send(&ClientFrame::Ack { out_off }).await;
            }
            KeeperFrame::InputAck { .. } | KeeperFrame::Pong { .. } => {}
            other => panic!("the terminal ended: {other:?}"),
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

#[async_trait]
impl Line for DirectTerminal {
    async fn type_text(&mut self, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let in_off = self.in_off;
        self.in_off += length(&bytes);
        self.send(&ClientFrame::Input { in_off, bytes }).await;
    }

    async fn expect(&mut self, text: &str) {
        while !self.fresh.found(text) {
            self.read_one().await;
        }
    }

    async fn pass_by(&mut self, count: usize) {
        let passed = async {
            let mut wanted = self.fresh.pass_by(count);
            while wanted > 0 {
                self.read_one().await;
                wanted = self.fresh.pass_by(wanted);
            }
        };
        in_time("all output", PATIENCE, passed).await;
    }
}

/// What the terminal process reaches environments with, and with its rights.
async fn runtime(system: &TestSystem) -> Arc<dyn EnvironmentRuntime> {
    match &system.runtime {
        TestRuntime::Engine(engine) => Arc::new(engine.runtime.clone()),
        TestRuntime::Cluster(cluster) => {
            Arc::new(cluster.runtime(Account::Terminal, system.folder()).await)
        }
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("a frame is short")
}
