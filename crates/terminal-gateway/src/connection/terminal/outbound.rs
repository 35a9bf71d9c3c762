//! Counting what passes, without touching the registry for every frame.

use telemetry::metrics::Metric;

/// Bytes that passed since they were last counted.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: u64,
    received: u64,
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
