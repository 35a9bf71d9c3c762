//! How much of the disk the spool takes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Above this part of the limit no new exam begins that must be recorded.
const NEARLY_FULL_PERCENT: u64 = 90;

/// Why a record could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpoolFault {
    /// The spool has as many bytes as it may have.
    #[error(
        "the spool holds {used} of the {limit} bytes that it may; see why nothing is shipped, or raise the limit"
    )]
    Full {
        /// Bytes in it.
        used: u64,
        /// Bytes it may have.
        limit: u64,
    },
    /// The file system did not take it.
    #[error("{path} cannot be written ({reason}); free space, or mend the volume")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The disk has not said whether it took it.
    #[error("the disk has not answered for {seconds} s; see whether the spool's volume hangs")]
    Silent {
        /// How long.
        seconds: u64,
    },
    /// Writing went wrong in a way that no disk explains.
    #[error("what writes recordings has stopped where it must not; its last words are in the log")]
    Panicked,
}

impl SpoolFault {
    pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unwritable {
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

/// Counts the bytes of all files of a spool.
#[derive(Debug)]
pub(crate) struct SpoolUse {
    used: AtomicU64,
    limit: u64,
}

impl SpoolUse {
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit,
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether new recordings should go elsewhere.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.used() >= self.limit / 100 * NEARLY_FULL_PERCENT
    }

    /// Several sessions may pass at once, so that the limit is passed by a few records at most.
    pub(super) fn room_for(&self, length: u64) -> Result<(), SpoolFault> {
        let used = self.used();
        if used + length > self.limit {
            return Err(SpoolFault::Full {
                used,
                limit: self.limit,
            });
        }
        Ok(())
    }

    pub(super) fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn free(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
