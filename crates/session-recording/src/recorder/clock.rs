//! The database's time, carried on by a clock that only counts.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// One reading of the database's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    read: i64,
    at: Instant,
}

impl Clock {
    /// Goes on from what the database said at a moment.
    pub(super) const fn from_database(now: DateTime<Utc>, read_at: Instant) -> Self {
        Self {
            read: now.timestamp_micros(),
            at: read_at,
        }
    }

    /// Microseconds since 1970.
    pub(super) fn now_micros(&self) -> i64 {
        let since = i64::try_from(self.at.elapsed().as_micros());
        self.read.saturating_add(since.unwrap_or(i64::MAX))
    }
}
