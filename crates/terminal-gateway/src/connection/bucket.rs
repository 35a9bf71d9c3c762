//! A token bucket over bytes.

use std::time::{Duration, Instant};

/// Grants bytes at a steady rate after a burst.
#[derive(Debug)]
pub(crate) struct ByteBucket {
    rate: u32,
    burst: u32,
    tokens: f64,
    filled_at: Instant,
}

impl ByteBucket {
    /// A full bucket of `burst` bytes that refills with `rate` bytes a second.
    pub(crate) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        Self {
            rate,
            burst,
            tokens: f64::from(burst),
            filled_at: now,
        }
    }

    /// Takes up to `wanted` bytes and says how many.
    pub(crate) fn take(&mut self, wanted: u32, now: Instant) -> u32 {
        self.refill(now);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "tokens stay within 0 and the burst, which is a u32"
        )]
        let taken = wanted.min(self.tokens as u32);
        self.tokens -= f64::from(taken);
        taken
    }

    /// How long from `now` until `bytes` can be taken.
    pub(crate) fn wait_for(&self, bytes: u32, now: Instant) -> Duration {
        let missing = f64::from(bytes.min(self.burst)) - self.tokens;
        let whole = Duration::from_secs_f64((missing / f64::from(self.rate)).max(0.0));
        whole.saturating_sub(now.saturating_duration_since(self.filled_at))
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * f64::from(self.rate)).min(f64::from(self.burst));
        self.filled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_granted_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = ByteBucket::new(100, 1000, start);
        assert_eq!(bucket.take(900, start), 900);
        assert_eq!(bucket.take(900, start), 100);
        assert_eq!(bucket.take(1, start), 0);
        assert_eq!(bucket.wait_for(50, start), Duration::from_millis(500));
        let later = start + Duration::from_millis(200);
        assert_eq!(bucket.wait_for(50, later), Duration::from_millis(300));
        assert_eq!(bucket.take(900, start + Duration::from_secs(2)), 200);
    }

    #[test]
    fn it_never_holds_more_than_its_burst() {
        let start = Instant::now();
        let mut bucket = ByteBucket::new(100, 1000, start);
        assert_eq!(bucket.take(5000, start + Duration::from_hours(1)), 1000);
    }
}
