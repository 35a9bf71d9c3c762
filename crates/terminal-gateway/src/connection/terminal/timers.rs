//! Everything a terminal does because time has passed, on one timer.

use std::time::{Duration, Instant};

use environment_access::wire::{CloseCode, NoticeCode, limits};
use serde_json::Map;

use super::Terminal;

/// A drain closes its terminals spread over so long, so that browsers do not return all at once.
const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// The moments a terminal waits for.
#[derive(Debug)]
pub(super) struct Timers {
    heard_at: Instant,
    ping_at: Instant,
    /// Where output stands that waits, and since when.
    stalled: Option<(u64, Instant)>,
    login_ends_at: Instant,
    leave_at: Option<Instant>,
}

impl Timers {
    pub(super) fn new(now: Instant, login_ends_at: Instant) -> Self {
        Self {
            heard_at: now,
            ping_at: now + limits::SERVER_PING_EVERY,
            stalled: None,
            login_ends_at,
            leave_at: None,
        }
    }

    /// Notes that the browser is alive.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Notes where output waits for the browser, if it does. What is sent meanwhile moves it on.
    pub(super) fn watch_stall(&mut self, waits_at: Option<u64>, now: Instant) {
        self.stalled = waits_at.map(|place| match self.stalled {
            Some(before) if before.0 == place => before,
            _ => (place, now),
        });
    }

    fn slow_at(&self) -> Option<Instant> {
        self.stalled.map(|(_, since)| since + limits::SLOW_AFTER)
    }

    /// Sets the moment at which a drain closes this terminal. `spread` is random, from 0 to 1.
    pub(super) fn drain(&mut self, now: Instant, spread: f64) {
        self.leave_at = Some(now + DRAIN_SPREAD.mul_f64(spread));
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.leave_at.is_some()
    }

    /// The next of these moments.
    fn next(&self) -> Instant {
        [
            Some(self.heard_at + limits::DEAD_AFTER),
            self.slow_at(),
            Some(self.login_ends_at),
            self.leave_at,
        ]
        .into_iter()
        .flatten()
        .fold(self.ping_at, Instant::min)
    }

    /// The code of a moment that has come and ends the connection.
    fn end(&self, now: Instant) -> Option<CloseCode> {
        let passed = |moment: Option<Instant>| moment.is_some_and(|moment| now >= moment);
        if now >= self.heard_at + limits::DEAD_AFTER {
            Some(CloseCode::GoingAway)
        } else if now >= self.login_ends_at {
            Some(CloseCode::LoginExpired)
        } else if passed(self.slow_at()) {
            Some(CloseCode::SlowConsumer)
        } else if passed(self.leave_at) {
            Some(CloseCode::Restart)
        } else {
            None
        }
    }

    fn take_ping(&mut self, now: Instant) -> bool {
        let due = now >= self.ping_at;
        if due {
            self.ping_at = now + limits::SERVER_PING_EVERY;
        }
        due
    }
}

impl Terminal<'_> {
    /// When something is due next.
    pub(super) fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let waits = [self.input.next_grant_in(now), self.resize.next_in(now)];
        let next = waits
            .into_iter()
            .flatten()
            .fold(self.timers.next(), |next, wait| {
                // What is due this instant is done by its own arm; a moment's pause avoids spinning
                // while that arm has to wait for something else.
                next.min(now + wait.max(Duration::from_millis(2)))
            });
        let held_until = self.outbox.held_until(now);
        held_until.map_or(next, |until| next.min(until))
    }

    /// Does what is due.
    pub(super) fn wake(&mut self) -> Result<(), CloseCode> {
        let now = Instant::now();
        if let Some(code) = self.timers.end(now) {
            return Err(code);
        }
        if self.timers.take_ping(now) {
            self.ping_due = true;
            self.traffic.count();
        }
        self.grant(now);
        if self.input.is_throttled(now) && !self.throttle_told {
            self.throttle_told = true;
            self.notice(NoticeCode::Throttled, "terminal.throttled", Map::new());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers() -> (Timers, Instant) {
        let now = Instant::now();
        (Timers::new(now, now + Duration::from_hours(1)), now)
    }

    #[test]
    fn silence_a_full_window_and_an_expired_login_each_have_their_code() {
        let (mut timers, now) = timers();
        assert_eq!(timers.end(now + Duration::from_secs(44)), None);
        assert_eq!(
            timers.end(now + limits::DEAD_AFTER),
            Some(CloseCode::GoingAway)
        );
        let later = now + Duration::from_secs(40);
        timers.heard(later);
        timers.watch_stall(Some(7), now);
        timers.watch_stall(Some(7), later);
        assert_eq!(
            timers.end(later),
            Some(CloseCode::SlowConsumer),
            "the first stall counts"
        );
        timers.watch_stall(Some(8), later);
        assert_eq!(timers.end(later), None, "a byte more was sent");
        timers.watch_stall(None, later);
        assert_eq!(timers.end(later), None);
        let expired = now + Duration::from_hours(1);
        timers.heard(expired);
        assert_eq!(timers.end(expired), Some(CloseCode::LoginExpired));
    }

    #[test]
    fn a_drain_ends_within_its_spread() {
        let (mut timers, now) = timers();
        timers.drain(now, 0.5);
        assert_eq!(timers.end(now + Duration::from_secs(2)), None);
        assert_eq!(
            timers.end(now + Duration::from_millis(2500)),
            Some(CloseCode::Restart)
        );
        assert_eq!(timers.next(), now + Duration::from_millis(2500));
    }

    #[test]
    fn pings_are_sent_at_their_pace() {
        let (mut timers, now) = timers();
        assert!(!timers.take_ping(now));
        assert!(timers.take_ping(now + limits::SERVER_PING_EVERY));
        assert!(!timers.take_ping(now + limits::SERVER_PING_EVERY));
    }
}
