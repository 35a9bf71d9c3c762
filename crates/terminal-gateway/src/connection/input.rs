//! Typed bytes on their way to the shell: exactly once, and only within credit.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use environment_access::wire::{CloseCode, limits};

use super::bucket::ByteBucket;

/// Typed bytes handed to the leg in one frame.
const CHUNK: usize = 16 * 1024;
/// Least credit worth a frame of its own while the bucket is short: a few keystrokes.
const LEAST_GRANT: u32 = 1024;

/// Keeps typed bytes from the moment they arrive until the keeper has said that the shell has
/// them, and counts how many more the client may send.
#[derive(Debug)]
pub(crate) struct InputFlow {
    /// Bytes from `acked` to `received`.
    kept: BytesMut,
    acked: u64,
    forwarded: u64,
    received: u64,
    granted: u64,
    bucket: ByteBucket,
    /// The last `INPUT_ACK` sent, so that none is sent twice.
    told: (u64, u64),
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

/// An `INPUT_ACK` to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Everything before has reached the shell.
    pub(crate) offset: u64,
    /// How many bytes beyond it the client may send.
    pub(crate) credit: u32,
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
        let mut bucket = ByteBucket::new(limits::INPUT_RATE, limits::INPUT_BURST, now);
        let granted = offset + u64::from(bucket.take(limits::INPUT_WINDOW, now));
        Self {
            kept: BytesMut::new(),
            acked: offset,
            forwarded: offset,
            received: offset,
            granted,
            bucket,
            told: (offset, granted),
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
        if end > self.granted {
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
    ///
    /// Credit grows to a whole window beyond what the shell has, as fast as the bucket allows.
    /// While it is short, small grants wait until they are worth a frame.
    pub(crate) fn grant(&mut self, now: Instant) -> Option<Grant> {
        let room = self.acked + u64::from(limits::INPUT_WINDOW) - self.granted;
        let room = u32::try_from(room).expect("at most one window");
        if room < LEAST_GRANT || self.bucket.wait_for(LEAST_GRANT, now).is_zero() {
            self.granted += u64::from(self.bucket.take(room, now));
        }
        if self.told == (self.acked, self.granted) {
            return None;
        }
        self.told = (self.acked, self.granted);
        let credit = u32::try_from(self.granted - self.acked).expect("at most one window");
        Some(Grant {
            offset: self.acked,
            credit,
        })
    }

    /// When credit can grow again; `None` when all of it is granted.
    pub(crate) fn next_grant_in(&self, now: Instant) -> Option<Duration> {
        let whole = self.acked + u64::from(limits::INPUT_WINDOW);
        (self.granted < whole).then(|| self.bucket.wait_for(LEAST_GRANT, now))
    }

    /// Whether the client has used its credit up and the bucket is why it gets no more.
    pub(crate) fn is_throttled(&self, now: Instant) -> bool {
        let short = self.next_grant_in(now).is_some_and(|wait| !wait.is_zero());
        short && self.received == self.granted
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a slice fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = limits::INPUT_WINDOW as u64;

    fn flow() -> (InputFlow, Instant) {
        let now = Instant::now();
        (InputFlow::new(100, now), now)
    }

    fn drain(flow: &mut InputFlow) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((_, chunk)) = flow.next_chunk() {
            out.extend(chunk);
        }
        out
    }

    #[test]
    fn resent_bytes_are_taken_once() {
        let (mut flow, _) = flow();
        flow.accept(100, b"abc").unwrap();
        flow.accept(100, b"abc").unwrap();
        flow.accept(101, b"bcde").unwrap();
        assert_eq!(drain(&mut flow), b"abcde");
        assert_eq!(flow.next_chunk(), None);
    }

    #[test]
    fn a_gap_and_too_much_are_refused_and_change_nothing() {
        let (mut flow, _) = flow();
        assert_eq!(flow.accept(101, b"x"), Err(InputError::Gap));
        let much = vec![b'x'; usize::try_from(WINDOW).unwrap() + 1];
        assert_eq!(flow.accept(100, &much), Err(InputError::BeyondCredit));
        assert!(!flow.has_work());
        flow.accept(100, &much[1..]).unwrap();
    }

    #[test]
    fn a_new_leg_gets_exactly_what_the_shell_has_not() {
        let (mut flow, _) = flow();
        flow.accept(100, b"abcdef").unwrap();
        drain(&mut flow);
        flow.acknowledged(102);
        flow.rewind(104).unwrap();
        assert_eq!(flow.next_chunk(), Some((104, Bytes::from_static(b"ef"))));
        assert!(flow.rewind(103).is_err(), "bytes before 104 are given away");
        assert!(flow.rewind(107).is_err(), "bytes after 106 never came");
    }

    #[test]
    fn credit_follows_the_shell() {
        let (mut flow, now) = flow();
        assert_eq!(flow.grant(now), None, "WELCOME said it");
        flow.accept(100, b"abc").unwrap();
        assert_eq!(flow.grant(now), None);
        flow.acknowledged(103);
        assert_eq!(
            flow.grant(now),
            Some(Grant {
                offset: 103,
                credit: limits::INPUT_WINDOW
            })
        );
        assert_eq!(flow.grant(now), None);
    }

    #[test]
    fn a_flood_is_slowed_to_the_rate_and_loses_nothing() {
        let (mut flow, start) = flow();
        let block = vec![b'x'; limits::MAX_INPUT];
        let (mut sent, mut seconds) = (100_u64, 0_u64);
        let mut now = start;
        while seconds < 20 {
            let room = flow.granted - sent;
            let size = usize::try_from(room.min(limits::MAX_INPUT as u64)).unwrap();
            if size == 0 {
                now += Duration::from_secs(1);
                seconds += 1;
            } else {
                flow.accept(sent, &block[..size]).unwrap();
                sent += size as u64;
            }
            drain(&mut flow);
            flow.acknowledged(sent);
            flow.grant(now);
        }
        let allowed = u64::from(limits::INPUT_BURST) + 20 * u64::from(limits::INPUT_RATE);
        assert!(sent - 100 <= allowed, "{sent}");
        assert!(sent - 100 > allowed - 2 * WINDOW, "{sent}");
    }

    #[test]
    fn whoever_used_the_burst_up_is_throttled_until_the_bucket_refills() {
        let (mut flow, now) = flow();
        for _ in 0..4 {
            let size = usize::try_from(flow.granted - flow.received).unwrap();
            flow.accept(flow.received, &vec![0; size]).unwrap();
            flow.acknowledged(flow.received);
            flow.grant(now);
        }
        assert!(flow.is_throttled(now));
        let later = now + flow.next_grant_in(now).unwrap();
        assert!(flow.grant(later).unwrap().credit >= LEAST_GRANT);
        assert!(!flow.is_throttled(later));
    }

    #[test]
    fn a_keeper_that_answers_nonsense_does_no_harm() {
        let (mut flow, now) = flow();
        flow.accept(100, b"abc").unwrap();
        flow.acknowledged(u64::MAX);
        flow.acknowledged(0);
        assert_eq!(flow.grant(now).unwrap().offset, 103);
    }
}
