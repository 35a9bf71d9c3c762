//! How long a failed job waits: exponential with full jitter, capped, stored in `run_at`.

use std::time::Duration;

use rand::RngExt as _;

/// The window after the first failed run.
pub const BACKOFF_BASE: Duration = Duration::from_secs(1);

/// The widest window. An exam waits for its environment, so minutes between tries help nobody.
pub const BACKOFF_CAP: Duration = Duration::from_mins(1);

/// A floor under the jitter: a retry in the same millisecond meets the same cause.
const FLOOR: Duration = Duration::from_millis(100);

/// Returns the width of the window after the given counted run (1 is the first):
/// `min(cap, base × 2^(attempt − 1))`.
pub fn backoff_window(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1))
        .unwrap_or(0)
        .min(31);
    BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_CAP)
}

/// Draws a delay from the whole window. Full jitter spreads a crowd that failed together.
pub(crate) fn draw(attempt: i32) -> Duration {
    let window = backoff_window(attempt);
    rand::rng().random_range(FLOOR..=window)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_drawn_delay_lies_inside_its_capped_window(attempt in any::<i32>()) {
            let delay = draw(attempt);
            prop_assert!(delay >= FLOOR && delay <= backoff_window(attempt));
            prop_assert!(backoff_window(attempt) <= BACKOFF_CAP);
        }
    }

    #[test]
    fn windows_double_up_to_the_cap() {
        let seconds: Vec<_> = (1..=8)
            .map(|attempt| backoff_window(attempt).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
