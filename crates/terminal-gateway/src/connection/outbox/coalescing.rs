//! Joining what trickles in: a shell that prints much in small pieces costs few frames, and what one
//! key brings waits for nothing.

use std::time::{Duration, Instant};

/// How long output may wait for more of it.
const JOIN_WITHIN: Duration = Duration::from_millis(2);
/// Bytes that go at once in that time: an echo, a prompt, a line drawn anew.
const AT_ONCE: usize = 1024;

/// What went lately, and so whether a frame that is not full waits for more.
#[derive(Debug, Default)]
pub(super) struct Coalescing {
    /// Since when, and how many bytes.
    lately: Option<(Instant, usize)>,
}

impl Coalescing {
    /// Notes a frame of so many bytes.
    pub(super) fn sent(&mut self, bytes: usize, now: Instant) {
        self.lately = Some(match self.lately {
            Some((since, before)) if now < since + JOIN_WITHIN => (since, before + bytes),
            _ => (now, bytes),
        });
    }

    /// Until when a frame that is not full waits; `None` when it may go now.
    pub(super) fn holds_until(&self, now: Instant) -> Option<Instant> {
        let (since, bytes) = self.lately?;
        let until = since + JOIN_WITHIN;
        (bytes > AT_ONCE && now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_brings_goes_at_once_in_however_many_pieces() {
        let (mut coalescing, now) = (Coalescing::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(coalescing.holds_until(now), None);
            coalescing.sent(100, now);
        }
    }

    #[test]
    fn after_much_the_rest_waits_two_milliseconds_from_the_first_byte() {
        let (mut coalescing, now) = (Coalescing::default(), Instant::now());
        coalescing.sent(AT_ONCE, now);
        coalescing.sent(1, now + Duration::from_millis(1));
        assert_eq!(coalescing.holds_until(now), Some(now + JOIN_WITHIN));
        let later = now + JOIN_WITHIN;
        assert_eq!(coalescing.holds_until(later), None);
        coalescing.sent(1, later);
        assert_eq!(coalescing.holds_until(later), None, "it is quiet again");
    }
}
