//! When to ship next.

use std::time::Duration;

/// A round begins so long after the one before: segments are in the spool anyway, and fewer, larger
/// transactions leave the database to those who wait for it.
const EVERY: Duration = Duration::from_secs(2);
/// The first pause after a failure, and the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// The pause after a round. `jitter` is random, from 0 to 1: processes whose database came back do
    /// not all return at once.
    pub(super) fn after(&mut self, well: bool, jitter: f64) -> Duration {
        if well {
            self.failures = 0;
            return EVERY;
        }
        let ceiling = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Half is certain: a pause of nothing would be no pause.
        ceiling.mul_f64(0.5 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_again_after_a_success() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(false, 1.0), FIRST);
        assert_eq!(pace.after(false, 1.0), FIRST * 2);
        assert_eq!(pace.after(false, 0.0), FIRST * 2);
        for _ in 0..99 {
            assert!(pace.after(false, 1.0) <= LONGEST);
        }
        assert_eq!(pace.after(false, 1.0), LONGEST);
        assert_eq!(pace.after(true, 0.3), EVERY);
        assert_eq!(pace.after(false, 1.0), FIRST);
    }
}
