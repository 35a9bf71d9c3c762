//! Judges each WebSocket frame by its header, before any of its payload is buffered.
//!
//! The WebSocket layer looks at a frame's length only once the whole frame is in memory, so a
//! header that announces 600 MB would be believed. This guard reads the same bytes first and
//! ends the stream at such a header, and at every other one that breaks a rule.

mod header;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use environment_access::wire::CloseCode;
use futures_util::Stream;

use header::Header;

/// Follows frame boundaries through a byte stream cut anywhere.
#[derive(Debug)]
pub(crate) struct FrameGuard {
    limit: u64,
    header: Header,
    payload_left: u64,
    /// Whether a message has begun whose last frame has not.
    in_message: bool,
    /// Whether CLOSE has begun, after which nothing counts.
    is_last: bool,
}

/// What is wrong with a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameFault {
    /// It announces more payload than a frame may have.
    #[error("receive a frame of {announced} bytes, more than {limit}")]
    TooLong {
        /// Payload bytes announced.
        announced: u64,
        /// Most there may be.
        limit: u64,
    },
    /// It begins a message of text.
    #[error("receive a frame of text")]
    Text,
    /// A bit that no extension has given a meaning.
    #[error("receive a frame with reserved bits")]
    Reserved,
    /// A type that there is not.
    #[error("receive a frame with opcode {0}")]
    Opcode(u8),
    /// Clients mask.
    #[error("receive a frame without a mask")]
    Unmasked,
    /// A control frame in pieces, or with more than 125 bytes.
    #[error("receive a control frame that is long or in pieces")]
    Control,
    /// A continuation of nothing, or a message within another.
    #[error("receive the frames of a message out of order")]
    Order,
    /// Its length would fit fewer bytes, or no signed integer.
    #[error("receive a frame whose length is not written as it must be")]
    Length,
}

impl FrameFault {
    /// The close code that answers it.
    pub(crate) const fn close_code(self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::TooBig,
            Self::Text => CloseCode::Text,
            Self::Reserved
            | Self::Opcode(_)
            | Self::Unmasked
            | Self::Control
            | Self::Order
            | Self::Length => CloseCode::Protocol,
        }
    }
}

impl FrameGuard {
    /// A guard that lets frames of up to `limit` payload bytes pass.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: u64::try_from(limit).expect("a limit in memory fits 64 bits"),
            header: Header::default(),
            payload_left: 0,
            in_message: false,
            is_last: false,
        }
    }

    /// Looks at the next bytes of the stream and says how many of them pass: all, up to CLOSE.
    ///
    /// # Errors
    /// [`FrameFault`] at the first byte that shows it.
    pub(crate) fn inspect(&mut self, bytes: &[u8]) -> Result<usize, FrameFault> {
        let mut passed = 0;
        while passed < bytes.len() {
            if self.payload_left > 0 {
                let here = u64::try_from(bytes.len() - passed).expect("a slice fits 64 bits");
                let skipped = here.min(self.payload_left);
                self.payload_left -= skipped;
                passed += usize::try_from(skipped).expect("at most the slice's length");
                continue;
            }
            if self.is_over() {
                break;
            }
            self.header.push(bytes[passed]);
            passed += 1;
            self.header.judge(self.in_message, self.limit)?;
            if self.header.is_complete() {
                self.begin_payload();
            }
        }
        Ok(passed)
    }

    /// Whether the whole of CLOSE has been seen, so that nothing more counts.
    pub(crate) fn is_over(&self) -> bool {
        self.is_last && self.payload_left == 0
    }

    fn begin_payload(&mut self) {
        let header = std::mem::take(&mut self.header);
        self.payload_left = header.announced();
        if header.is_control() {
            self.is_last = header.is_close();
        } else {
            self.in_message = !header.is_final();
        }
    }
}

/// A request's payload behind a [`FrameGuard`].
pub(crate) struct GuardedPayload<S> {
    payload: S,
    guard: FrameGuard,
}

impl<S> GuardedPayload<S> {
    /// Puts a guard in front of a payload.
    pub(crate) fn new(payload: S, guard: FrameGuard) -> Self {
        Self { payload, guard }
    }
}

impl<S> Stream for GuardedPayload<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.guard.is_over() {
            // So a client that has said goodbye is not waited for.
            return Poll::Ready(None);
        }
        let item = ready!(Pin::new(&mut self.payload).poll_next(cx));
        Poll::Ready(match item {
            Some(Ok(mut bytes)) => Some(match self.guard.inspect(&bytes) {
                Ok(passed) => {
                    bytes.truncate(passed);
                    Ok(bytes)
                }
                Err(fault) => Err(PayloadError::Io(io::Error::other(fault))),
            }),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests;
