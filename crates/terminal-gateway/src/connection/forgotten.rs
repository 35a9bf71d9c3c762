//! Output that is gone for good.

use telemetry::metrics::Metric;

/// Counts output that its shell had forgotten before it was read.
pub(super) fn count_lost(to: &str, bytes: u64) {
    if bytes > 0 {
        Metric::TerminalLostBytes.increment(bytes, &[("to", to)]);
    }
}
