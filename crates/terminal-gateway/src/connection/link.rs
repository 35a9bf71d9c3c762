//! Whether the leg is up, and when to open it anew.

use std::time::{Duration, Instant};

/// First pause before opening a lost leg anew, doubled each time…
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// …up to this one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A leg that stays down for so long ends the connection: the browser starts over.
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// Whether the leg is up.
#[derive(Debug, Default)]
pub(super) struct Link {
    down_since: Option<Instant>,
    failures: u32,
}

/// What to do about a lost leg.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterLoss {
    /// Open it anew after a pause.
    Reopen {
        /// The pause.
        pause: Duration,
        /// Whether the page should be told by now.
        worth_telling: bool,
    },
    /// End the connection.
    GiveUp,
}

/// A leg that is open again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repair {
    /// Since when it was down.
    pub(super) down_since: Instant,
    /// Whether the page had been told.
    pub(super) was_told: bool,
}

impl Link {
    /// Whether commands can be sent.
    pub(super) const fn is_up(&self) -> bool {
        self.down_since.is_none()
    }

    /// Since when the leg has been down, if it is.
    pub(super) const fn down_since(&self) -> Option<Instant> {
        self.down_since
    }

    /// Notes that the leg is open, and says what that mends.
    pub(super) fn opened(&mut self) -> Option<Repair> {
        let Self {
            down_since,
            failures,
        } = std::mem::take(self);
        Some(Repair {
            down_since: down_since?,
            was_told: failures > 1,
        })
    }

    /// Notes that the leg was lost or could not be opened. `jitter` is random, from 0 to 1.
    pub(super) fn lost(&mut self, now: Instant, jitter: f64) -> AfterLoss {
        let since = *self.down_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= GIVE_UP_AFTER {
            return AfterLoss::GiveUp;
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8));
        self.failures += 1;
        let pause = doubled.min(LONGEST_PAUSE).mul_f64(jitter.clamp(0.0, 1.0));
        // One quick repair is nobody's business.
        AfterLoss::Reopen {
            pause,
            worth_telling: self.failures == 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_then_it_gives_up() {
        let start = Instant::now();
        let mut link = Link::default();
        let mut told = 0;
        let mut longest = Duration::ZERO;
        for second in 0..60 {
            match link.lost(start + Duration::from_secs(second), 1.0) {
                AfterLoss::Reopen {
                    pause,
                    worth_telling,
                } => {
                    assert!(pause >= longest && pause <= LONGEST_PAUSE);
                    longest = pause;
                    told += u32::from(worth_telling);
                }
                AfterLoss::GiveUp => panic!("too early, at {second}"),
            }
        }
        assert_eq!((longest, told), (LONGEST_PAUSE, 1));
        assert_eq!(link.lost(start + GIVE_UP_AFTER, 1.0), AfterLoss::GiveUp);
        assert_eq!(link.down_since(), Some(start));
    }

    #[test]
    fn an_opened_leg_starts_over() {
        let start = Instant::now();
        let mut link = Link::default();
        link.lost(start, 1.0);
        assert!(!link.is_up());
        let repair = Repair {
            down_since: start,
            was_told: false,
        };
        assert_eq!(link.opened(), Some(repair));
        assert_eq!(link.opened(), None, "nothing was down");
        assert!(link.is_up());
        let later = start + Duration::from_hours(1);
        let first = AfterLoss::Reopen {
            pause: FIRST_PAUSE,
            worth_telling: false,
        };
        assert_eq!(link.lost(later, 1.0), first);
    }
}
