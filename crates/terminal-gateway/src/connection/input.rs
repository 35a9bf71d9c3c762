//! Typed bytes on their way to the shell: exactly once, and only within credit.

mod credit;

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use environment_access::wire::CloseCode;

use self::credit::Credit;
pub(crate) use self::credit::Grant;

/// Typed bytes handed to the leg in one frame.
const CHUNK: usize = 16 * 1024;
/// Keeps typed bytes from the moment they arrive until the keeper has said that the shell has
/// them, and counts how many more the client may send.
#[derive(Debug)]
pub(crate) struct InputFlow {
    /// Bytes from `acked` to `received`.
    kept: BytesMut,
    acked: u64,
    forwarded: u64,
    received: u64,
    credit: Credit,
}

/// Why typed bytes cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    /// They begin beyond the last byte received.
    #[error("accept input that leaves a gap")]
    Gap,
    /// They go beyond the credit.
    #[error("accept input beyond the credit granted")]
    BeyondCredit,
}

/// The keeper stands where no exact continuation is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("continue input at {offset}: it is kept from {from} to {to}")]
pub(crate) struct LostPlace {
    offset: u64,
    from: u64,
    to: u64,
}

impl InputError {
    /// The close code that answers it.
    pub(crate) const fn close_code(self) -> CloseCode {
        match self {
            Self::Gap | Self::BeyondCredit => CloseCode::Protocol,
        }
    }
}

impl InputFlow {
    /// Input that stands at `offset`, with a whole window granted.
    pub(crate) fn new(offset: u64, now: Instant) -> Self {
        Self {
            kept: BytesMut::new(),
            acked: offset,
            forwarded: offset,
            received: offset,
            credit: Credit::new(offset, now),
        }
    }

    /// Takes typed bytes. Those received before are skipped: a resend is harmless.
    ///
    /// # Errors
    /// [`InputError`]; nothing was taken then.
    pub(crate) fn accept(&mut self, offset: u64, bytes: &[u8]) -> Result<(), InputError> {
        let end = offset + length(bytes);
        if offset > self.received {
            return Err(InputError::Gap);
        }
        if end > self.credit.granted() {
            return Err(InputError::BeyondCredit);
        }
        if end > self.received {
            let known = usize::try_from(self.received - offset).expect("less than the frame");
            self.kept.extend_from_slice(&bytes[known..]);
            self.received = end;
        }
        Ok(())
    }

    /// Whether something waits to go to the leg.
    pub(crate) const fn has_work(&self) -> bool {
        self.forwarded < self.received
    }

    /// The next bytes for the leg, with their offset.
    pub(crate) fn next_chunk(&mut self) -> Option<(u64, Bytes)> {
        if !self.has_work() {
            return None;
        }
        let from = usize::try_from(self.forwarded - self.acked).expect("within the credit");
        let to = self.kept.len().min(from + CHUNK);
        let chunk = Bytes::copy_from_slice(&self.kept[from..to]);
        let offset = self.forwarded;
        self.forwarded += length(&chunk);
        Some((offset, chunk))
    }

    /// Notes how far the shell has got.
    pub(crate) fn acknowledged(&mut self, offset: u64) {
        let offset = offset.min(self.received);
        if offset <= self.acked {
            return;
        }
        let done = usize::try_from(offset - self.acked).expect("within the credit");
        self.kept.advance(done);
        self.acked = offset;
        self.forwarded = self.forwarded.max(offset);
        if self.kept.is_empty() {
            // An idle terminal keeps no buffer.
            self.kept = BytesMut::new();
        }
    }

    /// Goes back to where the keeper stands after its leg was opened anew.
    ///
    /// # Errors
    /// [`LostPlace`] when the bytes it needs are no longer, or were never, here.
    pub(crate) fn rewind(&mut self, offset: u64) -> Result<(), LostPlace> {
        if offset < self.acked || offset > self.received {
            return Err(LostPlace {
                offset,
                from: self.acked,
                to: self.received,
            });
        }
        self.acknowledged(offset);
        self.forwarded = offset;
        Ok(())
    }

    /// The `INPUT_ACK` that is due, if one is: the shell has got further, or credit has grown.
    pub(crate) fn grant(&mut self, now: Instant) -> Option<Grant> {
        self.credit.grant(self.acked, now)
    }

    /// When credit can grow again; `None` when all of it is granted.
    pub(crate) fn next_grant_in(&self, now: Instant) -> Option<Duration> {
        self.credit.next_in(self.acked, now)
    }

    /// Whether the client has used its credit up and the bucket is why it gets no more.
    pub(crate) fn is_throttled(&self, now: Instant) -> bool {
        let short = self.next_grant_in(now).is_some_and(|wait| !wait.is_zero());
        short && self.received == self.credit.granted()
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a slice fits 64 bits")
}

#[cfg(test)]
mod tests;
