//! A terminal through the runtime's streams.

use std::time::Duration;

use carrel_keeper::frames::{Open, WindowSize};
use carrel_keeper::{ClientFrame, Decoder, Frame, KeeperFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Bench;
use crate::{AttachRequest, AttachStreams};

/// Shell start and echo take milliseconds; a loaded node gets a thousand times that.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn a_terminal_echoes_through_keeper_frames(bench: &Bench) {
    let spec = bench.spec();
    let name = spec.runtime_name();
    let uid = bench.running(&spec).await;
    let first = Terminal::open(
        bench
            .runtime
            .attach(&name, &uid, &AttachRequest { epoch: 1 })
            .await
            .expect("attach"),
        1,
    )
    .await;
    first
        .answers("expr 20 + 22 || echo $((20 + 22))\n", "42")
        .await;
    // A second attach finds the same shell: what the first one set is still there.
    let mut second = Terminal::open(
        bench
            .runtime
            .attach(&name, &uid, &AttachRequest { epoch: 2 })
            .await
            .expect("attach"),
        2,
    )
    .await;
    assert!(
        second.opened_alive,
        "the shell did not outlive its first stream"
    );
    second
        .send(&ClientFrame::Resize(WindowSize {
            cols: 100,
            rows: 30,
        }))
        .await;
    second
        .answers("echo \"$((COLUMNS + 0))-$((6 * 7))-end\"\n", "-42-end")
        .await;
}

struct Terminal {
    streams: AttachStreams,
    decoder: Decoder<KeeperFrame>,
    in_off: u64,
    opened_alive: bool,
}

impl Terminal {
    async fn open(streams: AttachStreams, epoch: i64) -> Self {
        let mut terminal = Self {
            streams,
            decoder: Decoder::new(),
            in_off: 0,
            opened_alive: false,
        };
        terminal
            .send(&ClientFrame::Open(Open {
                epoch,
                cols: 80,
                rows: 24,
                resume: None,
            }))
            .await;
        loop {
            if let KeeperFrame::Opened(opened) = terminal.next().await {
                terminal.in_off = opened.in_off;
                terminal.opened_alive = opened.alive;
                return terminal;
            }
        }
    }

    async fn send(&mut self, frame: &ClientFrame) {
        let bytes = frame.to_bytes().expect("the frame is small");
        self.streams.writer.write_all(&bytes).await.expect("write");
        self.streams.writer.flush().await.expect("flush");
    }

    async fn next(&mut self) -> KeeperFrame {
        let frame = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(frame) = self.decoder.next_frame().expect("frames in step") {
                    return frame;
                }
                let mut piece = [0; 4096];
                let length = self.streams.reader.read(&mut piece).await.expect("read");
                assert_ne!(length, 0, "the stream ended");
                self.decoder.push(&piece[..length]);
            }
        });
        frame.await.expect("a frame in time")
    }

    /// Types a command and waits for a piece of its output.
    async fn answers(mut self, command: &str, wanted: &str) {
        let bytes = bytes::Bytes::copy_from_slice(command.as_bytes());
        self.send(&ClientFrame::Input {
            in_off: self.in_off,
            bytes,
        })
        .await;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            match self.next().await {
                KeeperFrame::Output { off, bytes } => {
                    seen.extend_from_slice(&bytes);
                    let out_off = off + bytes.len() as u64;
                    self.send(&ClientFrame::Ack { out_off }).await;
                }
                KeeperFrame::Exit(exit) => panic!(
                    "the shell ended: {exit:?}, {}",
                    String::from_utf8_lossy(&seen)
                ),
                _ => {}
            }
        }
    }
}
