//! Refuses a WebSocket frame by its header, before any of its payload is buffered.
//!
//! The WebSocket layer looks at a frame's length only once the whole frame is in memory, so a
//! header that announces 600 MB would be believed. This guard reads the same bytes first and
//! ends the stream at such a header.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// Longest header: two bytes, an 8-byte length and a 4-byte mask.
const LONGEST_HEADER: usize = 14;
const MASK_BIT: u8 = 0x80;
const LENGTH_BITS: u8 = 0x7F;

/// Follows frame boundaries through a byte stream cut anywhere.
#[derive(Debug)]
pub(crate) struct FrameGuard {
    limit: u64,
    header: [u8; LONGEST_HEADER],
    header_filled: usize,
    payload_left: u64,
}

/// A frame announces more payload than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("receive a frame of {announced} bytes, more than {limit}")]
pub(crate) struct FrameTooLong {
    /// Payload bytes its header announces.
    pub(crate) announced: u64,
    /// Most it may have.
    pub(crate) limit: u64,
}

impl FrameGuard {
    /// A guard that lets frames of up to `limit` payload bytes pass.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = u64::try_from(limit).expect("a limit in memory fits 64 bits");
        Self {
            limit,
            header: [0; LONGEST_HEADER],
            header_filled: 0,
            payload_left: 0,
        }
    }

    /// Looks at the next bytes of the stream.
    ///
    /// # Errors
    /// [`FrameTooLong`] at the first header that announces too much.
    pub(crate) fn inspect(&mut self, mut bytes: &[u8]) -> Result<(), FrameTooLong> {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let here = u64::try_from(bytes.len()).expect("a slice fits 64 bits");
                let skipped = here.min(self.payload_left);
                self.payload_left -= skipped;
                bytes = &bytes[usize::try_from(skipped).expect("at most the slice's length")..];
                continue;
            }
            self.header[self.header_filled] = bytes[0];
            self.header_filled += 1;
            bytes = &bytes[1..];
            self.finish_header()?;
        }
        Ok(())
    }

    fn finish_header(&mut self) -> Result<(), FrameTooLong> {
        if self.header_filled < 2 {
            return Ok(());
        }
        let length_bytes = match self.header[1] & LENGTH_BITS {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header_filled == 2 + length_bytes {
            let announced = self.announced(length_bytes);
            if announced > self.limit {
                return Err(FrameTooLong {
                    announced,
                    limit: self.limit,
                });
            }
        }
        let mask_bytes = if self.header[1] & MASK_BIT == 0 { 0 } else { 4 };
        if self.header_filled == 2 + length_bytes + mask_bytes {
            self.payload_left = self.announced(length_bytes);
            self.header_filled = 0;
        }
        Ok(())
    }

    fn announced(&self, length_bytes: usize) -> u64 {
        if length_bytes == 0 {
            return u64::from(self.header[1] & LENGTH_BITS);
        }
        let bytes = &self.header[2..2 + length_bytes];
        bytes
            .iter()
            .fold(0, |length, byte| (length << 8) | u64::from(*byte))
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
        let item = ready!(Pin::new(&mut self.payload).poll_next(cx));
        Poll::Ready(match item {
            Some(Ok(bytes)) => Some(match self.guard.inspect(&bytes) {
                Ok(()) => Ok(bytes),
                Err(_) => Err(PayloadError::Overflow),
            }),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(announced: u64, payload: &[u8], masked: bool) -> Vec<u8> {
        let mask_bit = if masked { MASK_BIT } else { 0 };
        let mut bytes = vec![0x82];
        match announced {
            0..126 => bytes.push(mask_bit | u8::try_from(announced).unwrap()),
            126..65536 => {
                bytes.push(mask_bit | 0x7E);
                bytes.extend(u16::try_from(announced).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 0x7F);
                bytes.extend(announced.to_be_bytes());
            }
        }
        if masked {
            bytes.extend([1, 2, 3, 4]);
        }
        bytes.extend(payload);
        bytes
    }

    fn whole(length: usize) -> Vec<u8> {
        frame(length as u64, &vec![0xFF; length], true)
    }

    #[test]
    fn frames_up_to_the_limit_pass_however_they_are_cut() {
        let stream: Vec<u8> = [0, 1, 125, 126, 127, 300, 0, 1000]
            .into_iter()
            .flat_map(whole)
            .collect();
        for chunk in 1..=stream.len() {
            let mut guard = FrameGuard::new(1000);
            for part in stream.chunks(chunk) {
                assert_eq!(guard.inspect(part), Ok(()), "chunks of {chunk}");
            }
        }
    }

    #[test]
    fn a_header_that_announces_too_much_is_refused_before_its_payload() {
        for announced in [1001, 65_535, 65_536, 1 << 40, u64::MAX] {
            let header = frame(announced, &[], true);
            let mut guard = FrameGuard::new(1000);
            let refused = guard.inspect(&header);
            assert_eq!(
                refused,
                Err(FrameTooLong {
                    announced,
                    limit: 1000
                })
            );
        }
    }

    #[test]
    fn it_is_refused_at_the_last_byte_of_its_length_in_any_cut() {
        let stream = [whole(500), frame(1 << 40, &[], true)].concat();
        let mut guard = FrameGuard::new(1000);
        let refused_at = stream
            .iter()
            .position(|byte| guard.inspect(&[*byte]).is_err());
        assert_eq!(refused_at, Some(stream.len() - 5));
    }

    #[test]
    fn a_payload_that_looks_like_a_header_is_not_one() {
        let inner = frame(1 << 40, &[], true);
        let stream = frame(inner.len() as u64, &inner, false);
        let mut guard = FrameGuard::new(1000);
        assert_eq!(guard.inspect(&stream), Ok(()));
    }
}
