//! What goes to the browser, and counting what passes without touching the registry for every frame.

use std::sync::atomic::Ordering;
use std::time::Instant;

use environment_access::wire::CloseCode;
use futures_util::FutureExt as _;
use telemetry::metrics::Metric;

use super::Terminal;
use crate::connection::outlet::Message;

/// Bytes handed to the connection before everything else is looked at again.
const TURN: u64 = 64 * 1024;

/// How a turn of handing over ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing more can be handed over without waiting.
    Over,
    /// It was as long as a turn may be.
    Full,
}

/// Bytes that passed since they were last counted.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: u64,
    received: u64,
    /// Whether output waits for a window to be acknowledged.
    is_stalled: bool,
}

impl Traffic {
    /// Notes a frame to the browser.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Notes typed bytes from the browser.
    pub(super) const fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Notes whether output waits for a window to be acknowledged, and counts when that begins.
    fn stalled(&mut self, is_stalled: bool) {
        if is_stalled && !self.is_stalled {
            Metric::TerminalStalls.increment(1, &[]);
        }
        self.is_stalled = is_stalled;
    }

    /// Adds what passed to the process's counters.
    pub(super) fn count(&mut self) {
        Metric::TerminalBytes.increment(std::mem::take(&mut self.sent), &[("direction", "out")]);
        Metric::TerminalBytes.increment(std::mem::take(&mut self.received), &[("direction", "in")]);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.count();
    }
}

impl Terminal<'_> {
    /// Whether something can be handed to the browser's connection.
    pub(super) fn has_message(&self) -> bool {
        self.pong_due.is_some() || self.ping_due || self.outbox.has_next(Instant::now())
    }

    /// Hands one message over: WebSocket control first, then frames in the outbox's order.
    pub(super) fn send_message(&mut self, has_room: bool) -> Result<(), CloseCode> {
        let now = Instant::now();
        let message = if let Some(bytes) = self.pong_due.take() {
            Message::pong(bytes)
        } else if std::mem::take(&mut self.ping_due) {
            Message::ping()
        } else if let Some(message) = self.outbox.next(now) {
            self.traffic.sent(message.length());
            message
        } else {
            return Ok(());
        };
        if !has_room || self.browser.outlet.put(message).is_err() {
            return Err(CloseCode::GoingAway);
        }
        self.timers.watch_stall(self.outbox.waits_at(), now);
        Ok(())
    }

    /// Tells the process what waits for this browser.
    pub(super) fn count_unacked(&mut self) {
        let unacked = self.outbox.unacked();
        self.attached.unacked.store(unacked, Ordering::Relaxed);
        self.traffic.stalled(self.outbox.is_stalled());
    }

    /// Hands over what the connection takes without waiting, up to one turn of it.
    pub(super) fn send_on(&mut self) -> Result<Turn, CloseCode> {
        let turn_ends = self.traffic.sent + TURN;
        while self.has_message()
            && let Some(room) = self.browser.outlet.room().now_or_never()
        {
            self.send_message(room.is_ok())?;
            if self.traffic.sent >= turn_ends {
                return Ok(Turn::Full);
            }
        }
        Ok(Turn::Over)
    }
}
