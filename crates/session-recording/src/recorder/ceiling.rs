//! How long the recording of one session may become.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Bytes of entries of one session, unless told otherwise: hundreds of times what an exam of two hours
/// leaves, and as much as a shell that prints for ever may take from the others.
pub const SESSION_CEILING_BYTES: u64 = 1024 * 1024 * 1024;

/// Counts what is kept of a session.
#[derive(Debug)]
pub(super) struct Ceiling {
    limit: u64,
    kept: AtomicU64,
    is_reached: watch::Sender<bool>,
}

impl Ceiling {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            kept: AtomicU64::new(0),
            is_reached: watch::Sender::new(false),
        }
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Learns what is in the database.
    pub(super) fn note_stored(&self, bytes: u64) {
        self.kept.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that are kept.
    pub(super) fn note_kept(&self, bytes: u64) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether more may be kept. What waits in memory then may pass the limit, by a megabyte at most.
    pub(super) fn has_room(&self) -> bool {
        self.kept.load(Ordering::Relaxed) < self.limit
    }

    /// Notes that there was none. Returns whether this is news.
    pub(super) fn reach(&self) -> bool {
        !self.is_reached.send_replace(true)
    }

    pub(super) fn is_reached(&self) -> watch::Receiver<bool> {
        self.is_reached.subscribe()
    }
}
