//! Output between the leg and the browser: in order, without gaps, and only within the window.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use environment_access::wire::limits;

/// Output that waits, and how far each side has got.
#[derive(Debug)]
pub(super) struct OutputWindow {
    waiting: VecDeque<Bytes>,
    /// Offset after the last byte queued.
    received: u64,
    /// Offset after the last byte given to the socket.
    sent: u64,
    /// Offset the browser has parsed up to.
    acked: u64,
}

/// What the leg sent does not follow on what it sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("continue output at {expected}: the leg sent {got}")]
pub(crate) struct OutputGap {
    expected: u64,
    got: u64,
}

/// The browser acknowledges what was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accept an acknowledgement of {offset}: output stands at {sent}")]
pub(crate) struct AckBeyondOutput {
    offset: u64,
    sent: u64,
}

impl OutputWindow {
    /// Output that begins at `offset`.
    pub(super) const fn new(offset: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            received: offset,
            sent: offset,
            acked: offset,
        }
    }

    /// Queues output of the leg. Bytes queued before are skipped.
    pub(super) fn push(&mut self, offset: u64, mut bytes: Bytes) -> Result<(), OutputGap> {
        if offset > self.received {
            return Err(OutputGap {
                expected: self.received,
                got: offset,
            });
        }
        let known = usize::try_from(self.received - offset).unwrap_or(usize::MAX);
        if known >= bytes.len() {
            return Ok(());
        }
        bytes.advance(known);
        self.received += length(&bytes);
        self.waiting.push_back(bytes);
        Ok(())
    }

    /// Notes that the browser has parsed output up to `offset`; says whether that is news.
    pub(super) fn ack(&mut self, offset: u64) -> Result<bool, AckBeyondOutput> {
        if offset > self.sent {
            return Err(AckBeyondOutput {
                offset,
                sent: self.sent,
            });
        }
        let news = offset > self.acked;
        self.acked = self.acked.max(offset);
        Ok(news)
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) const fn acked(&self) -> u64 {
        self.acked
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that the next frame may have, however many wait: none may go beyond `end`.
    pub(super) fn room(&self, end: u64) -> usize {
        let end = end.min(self.acked + limits::OUTPUT_WINDOW);
        let room = end.saturating_sub(self.sent).min(limits::MAX_OUTPUT as u64);
        usize::try_from(room).expect("at most one frame")
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.received - self.sent
    }

    /// Takes at most so many bytes for a frame: one piece as it came, or several joined.
    pub(super) fn take(&mut self, most: usize) -> Option<Bytes> {
        let first = self.waiting.front()?.len();
        let taken = if first >= most || self.waiting.len() == 1 {
            self.take_from_front(most)
        } else {
            // What is taken is kept until the connection takes it: no more memory than bytes.
            let waiting = usize::try_from(self.waiting()).unwrap_or(most);
            let mut joined = BytesMut::with_capacity(most.min(waiting));
            while joined.len() < most && !self.waiting.is_empty() {
                let bytes = self.take_from_front(most - joined.len());
                joined.extend_from_slice(&bytes);
            }
            joined.freeze()
        };
        self.sent += length(&taken);
        Some(taken)
    }

    fn take_from_front(&mut self, most: usize) -> Bytes {
        let front = self.waiting.front_mut().expect("the caller looked");
        if front.len() <= most {
            return self.waiting.pop_front().expect("the caller looked");
        }
        front.split_to(most)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a slice fits 64 bits")
}
