//! Up to where the keeper may forget what an unattended shell printed.

use std::time::{Duration, Instant};

use crate::connection::bucket::ByteBucket;

/// As long as the keeper's own hold: a page that comes back by then goes on at its very place.
const HOLD: Duration = Duration::from_secs(10);
/// What a shell may print a second while nobody sees it: more than a build or a test prints, and too
/// little for one that prints for ever to fill a spool from others…
const RATE: u32 = 1024 * 1024;
/// …after so much at once.
const BURST: u32 = 8 * 1024 * 1024;
/// Least worth an acknowledgement while more must wait.
const LEAST: u32 = 64 * 1024;

/// What has come, what of it may be forgotten, and what of that the keeper knows. The shell stands still
/// a ring beyond that.
#[derive(Debug)]
pub(in crate::connection) struct Allowance {
    received: u64,
    allowed: u64,
    told: u64,
    /// The most that could be allowed when it last grew.
    most: u64,
    holds_until: Instant,
    bucket: ByteBucket,
}

impl Allowance {
    /// Output has come up to `received`, and the browser had `parsed` of it. A browser that `may_return`
    /// is waited for.
    pub(in crate::connection) fn new(
        received: u64,
        parsed: u64,
        may_return: bool,
        now: Instant,
    ) -> Self {
        Self {
            received,
            allowed: parsed,
            told: parsed,
            most: parsed,
            holds_until: if may_return { now + HOLD } else { now },
            bucket: ByteBucket::new(RATE, BURST, now),
        }
    }

    /// Notes how far output has come; some of it may have come before.
    pub(super) fn received(&mut self, to: u64) {
        self.received = self.received.max(to);
    }

    /// Allows what is on record and within the pace.
    pub(super) fn grow(&mut self, written: u64, now: Instant) {
        self.most = self.received.min(written).max(self.allowed);
        if now < self.holds_until {
            return;
        }
        let wanted = self.wanted();
        if self.bucket.wait_for(wanted.min(LEAST), now).is_zero() {
            self.allowed += u64::from(self.bucket.take(wanted, now));
        }
    }

    /// How long until more is allowed though nothing more comes; nothing where nothing waits.
    pub(super) fn grows_in(&self, now: Instant) -> Option<Duration> {
        let wanted = self.wanted();
        let held = self.holds_until.saturating_duration_since(now);
        let wait = self.bucket.wait_for(wanted.min(LEAST), now);
        // A moment's pause, so that a rounded wait does not spin.
        (wanted > 0).then(|| held.max(wait).max(Duration::from_millis(2)))
    }

    /// What the keeper is to be told, if it does not know.
    pub(super) fn untold(&self) -> Option<u64> {
        (self.allowed > self.told).then_some(self.allowed)
    }

    /// Notes that the keeper is being told.
    pub(super) fn told(&mut self, offset: u64) {
        self.told = offset;
    }

    /// From where the keeper still has everything.
    pub(super) const fn told_to(&self) -> u64 {
        self.told
    }

    fn wanted(&self) -> u32 {
        u32::try_from(self.most - self.allowed).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn a_page_that_may_return_is_waited_for_and_a_session_that_ended_has_none() {
        let now = Instant::now();
        let mut waits = Allowance::new(500, 100, true, now);
        waits.grow(500, now);
        assert_eq!((waits.untold(), waits.grows_in(now)), (None, Some(HOLD)));
        waits.grow(500, now + HOLD);
        assert_eq!(waits.untold(), Some(500));
        let mut ended = Allowance::new(500, 100, false, now);
        ended.grow(500, now);
        assert_eq!(ended.untold(), Some(500));
    }

    #[test]
    fn nothing_is_forgotten_before_it_is_written_or_twice() {
        let now = Instant::now();
        let mut allowance = Allowance::new(500, 100, false, now);
        allowance.grow(300, now);
        assert_eq!(allowance.untold(), Some(300));
        allowance.told(300);
        assert_eq!((allowance.untold(), allowance.grows_in(now)), (None, None));
        // A leg that was opened anew brings again what had come.
        allowance.received(400);
        allowance.grow(u64::MAX, now);
        assert_eq!((allowance.untold(), allowance.told_to()), (Some(500), 300));
        allowance.grow(0, now);
        assert_eq!(
            allowance.untold(),
            Some(500),
            "a place known to be written stays"
        );
    }

    #[test]
    fn a_flood_passes_at_its_pace_after_a_burst() {
        let now = Instant::now();
        let mut allowance = Allowance::new(0, 0, false, now);
        allowance.received(20 * MIB);
        allowance.grow(u64::MAX, now);
        assert_eq!(allowance.untold(), Some(8 * MIB));
        allowance.told(8 * MIB);
        let wait = allowance.grows_in(now).unwrap();
        assert_eq!(
            wait,
            Duration::from_micros(62_500),
            "64 KiB of 1 MiB a second"
        );
        allowance.grow(u64::MAX, now + wait / 2);
        assert_eq!(allowance.untold(), None, "too little to say");
        allowance.grow(u64::MAX, now + Duration::from_secs(3));
        assert_eq!(allowance.untold(), Some(11 * MIB));
    }
}
