//! How often a client may resize and ping.

use std::time::{Duration, Instant};

use environment_access::wire::limits;

use crate::screen_size::ScreenSize;

/// Lets one size pass each tenth of a second; of those between, the last.
#[derive(Debug)]
pub(crate) struct ResizePace {
    passed: ScreenSize,
    passed_at: Option<Instant>,
    /// A size that only makes the screen be drawn anew. While there is one, another waits after it.
    nudge: Option<ScreenSize>,
    waiting: Option<ScreenSize>,
}

impl ResizePace {
    /// A pace that begins with the size the shell has.
    pub(crate) const fn new(size: ScreenSize) -> Self {
        Self {
            passed: size,
            passed_at: None,
            nudge: None,
            waiting: None,
        }
    }

    /// Notes a size the client wants.
    pub(crate) const fn want(&mut self, size: ScreenSize) {
        self.waiting = Some(size);
    }

    /// Makes a full-screen program draw itself anew: another size passes, and then the right one.
    pub(crate) const fn nudge(&mut self) {
        let size = self.current();
        self.nudge = Some(size.neighbour());
        self.waiting = Some(size);
    }

    /// The size the shell has, or is to have.
    pub(crate) const fn current(&self) -> ScreenSize {
        match self.waiting {
            Some(size) => size,
            None => self.passed,
        }
    }

    /// Takes the size that may pass now. One the shell has already never passes.
    pub(crate) fn next(&mut self, now: Instant) -> Option<ScreenSize> {
        if self.nudge.is_none() && self.waiting == Some(self.passed) {
            self.waiting = None;
        }
        if !self.next_in(now)?.is_zero() {
            return None;
        }
        let size = self.nudge.take().or_else(|| self.waiting.take())?;
        self.passed = size;
        self.passed_at = Some(now);
        Some(size)
    }

    /// When a waiting size may pass; `None` when none waits.
    pub(crate) fn next_in(&self, now: Instant) -> Option<Duration> {
        self.waiting?;
        let pause = Duration::from_secs(1) / limits::MAX_RESIZES_PER_SECOND;
        let due = self.passed_at.map_or(now, |at| at + pause);
        Some(due.saturating_duration_since(now))
    }
}

/// Says which client pings are answered.
#[derive(Debug)]
pub(crate) struct PingPace {
    second: Instant,
    answered: u32,
}

impl PingPace {
    /// A pace with a whole second's worth of answers.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            second: now,
            answered: 0,
        }
    }

    /// Whether this ping is answered. Those beyond the limit are not, and nothing else happens:
    /// a page that wakes up sends several at once.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.answered += 1;
        self.answered <= limits::MAX_PINGS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(columns: u16) -> ScreenSize {
        ScreenSize { columns, rows: 24 }
    }

    #[test]
    fn of_many_sizes_the_first_and_the_last_pass() {
        let start = Instant::now();
        let mut pace = ResizePace::new(size(80));
        pace.want(size(81));
        assert_eq!(pace.next(start), Some(size(81)));
        for columns in 82..120 {
            pace.want(size(columns));
            assert_eq!(pace.next(start), None);
        }
        assert_eq!(pace.current(), size(119));
        let wait = pace.next_in(start).unwrap();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(pace.next(start + wait), Some(size(119)));
        assert_eq!(pace.next_in(start + wait), None);
    }

    #[test]
    fn the_size_the_shell_has_never_passes_again() {
        let start = Instant::now();
        let mut pace = ResizePace::new(size(80));
        pace.want(size(80));
        assert_eq!(pace.next(start), None);
        assert_eq!(pace.next_in(start), None);
    }

    #[test]
    fn a_nudge_passes_as_two_sizes_a_pause_apart_and_the_right_one_stays() {
        let start = Instant::now();
        let pause = Duration::from_millis(100);
        for (columns, other) in [(80, 79), (2, 3), (500, 499)] {
            let mut pace = ResizePace::new(size(columns));
            pace.nudge();
            assert_eq!(pace.current(), size(columns));
            assert_eq!(pace.next(start), Some(size(other)));
            assert_eq!(pace.next(start), None);
            assert_eq!(pace.next_in(start), Some(pause));
            assert_eq!(pace.next(start + pause), Some(size(columns)));
            assert_eq!(pace.next_in(start + pause), None);
        }
    }

    #[test]
    fn a_size_wanted_during_a_nudge_is_the_one_that_stays() {
        let start = Instant::now();
        let mut pace = ResizePace::new(size(80));
        pace.nudge();
        pace.want(size(100));
        assert_eq!(pace.next(start), Some(size(79)));
        pace.want(size(120));
        assert_eq!(
            pace.next(start + Duration::from_millis(100)),
            Some(size(120))
        );
    }

    #[test]
    fn two_pings_a_second_are_answered() {
        let start = Instant::now();
        let mut pace = PingPace::new(start);
        assert_eq!(
            [0; 4].map(|_| pace.admits(start)),
            [true, true, false, false]
        );
        assert!(pace.admits(start + Duration::from_secs(1)));
    }
}
