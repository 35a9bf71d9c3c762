//! Towards the keeper: frames that wait to be written, and whether the stream still takes any.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use carrel_keeper::{ClientFrame, Frame as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

/// How long a stream that takes nothing any more is still read: it may hold how it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Encoded commands not yet written, in bytes; beyond it commands wait in the socket task.
const MOST_UNWRITTEN: usize = 32 * 1024;

/// What is on its way to the keeper.
#[derive(Debug)]
pub(super) struct Outgoing {
    unwritten: BytesMut,
    flushed: bool,
    /// Something typed, or a size, has been put and not flushed since.
    holds_typed: bool,
    /// Since the stream takes nothing any more: until when it is read.
    read_until: Option<Instant>,
}

/// What a turn of writing did.
pub(super) enum Wrote {
    /// So many bytes were taken.
    Bytes(usize),
    /// All that was taken is on its way.
    Flushed,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            unwritten: BytesMut::new(),
            flushed: true,
            holds_typed: false,
            read_until: None,
        }
    }

    /// Puts a frame behind those that wait.
    pub(super) fn put(&mut self, frame: &ClientFrame) {
        self.holds_typed |= matches!(frame, ClientFrame::Input { .. } | ClientFrame::Resize(_));
        frame
            .encode(&mut self.unwritten)
            .expect("commands are shorter than a frame may be");
    }

    /// Whether another command may be encoded.
    pub(super) fn has_room(&self) -> bool {
        self.unwritten.len() < MOST_UNWRITTEN
    }

    /// Whether something typed, or a size, may still leave this process: a stream takes bytes that it
    /// sends later, and has sent them all once it is flushed.
    pub(super) const fn holds_typed(&self) -> bool {
        self.holds_typed
    }

    /// Whether there is something to write or to flush.
    pub(super) fn has_work(&self) -> bool {
        self.read_until.is_none() && (!self.unwritten.is_empty() || !self.flushed)
    }

    /// Until when a stream is read that takes nothing any more.
    pub(super) const fn read_until(&self) -> Option<Instant> {
        self.read_until
    }

    /// Writes what the stream takes now, or flushes when there is nothing to write. Nothing is lost
    /// when it is cancelled.
    pub(super) async fn write_some(
        &self,
        writer: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> std::io::Result<Wrote> {
        if self.unwritten.is_empty() {
            return writer.flush().await.map(|()| Wrote::Flushed);
        }
        writer.write(&self.unwritten).await.map(Wrote::Bytes)
    }

    pub(super) fn wrote(&mut self, wrote: &std::io::Result<Wrote>) {
        match wrote {
            Ok(Wrote::Flushed) => {
                self.flushed = true;
                self.holds_typed = false;
            }
            Ok(Wrote::Bytes(count)) if *count > 0 => {
                self.unwritten.advance(*count);
                self.flushed = false;
                if self.unwritten.is_empty() {
                    // An idle leg keeps no buffer.
                    self.unwritten = BytesMut::new();
                }
            }
            // An EXIT that was sent before lies ahead of the end, and reading finds it.
            Ok(Wrote::Bytes(_)) | Err(_) => self.read_until = Some(Instant::now() + LAST_WORDS),
        }
    }
}
