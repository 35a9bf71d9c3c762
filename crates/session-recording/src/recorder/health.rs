//! How recording goes.

use std::time::Duration;

use serde::Serialize;

use super::Shared;
use crate::spool::SpoolFault;

/// How recording goes, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderHealth {
    /// Bytes that wait on the disk.
    pub spooled_bytes: u64,
    /// Bytes that may.
    pub spool_limit_bytes: u64,
    /// Bytes that wait in memory.
    pub queued_bytes: u64,
    /// What keeps the spool from taking anything.
    pub fault: Option<SpoolFault>,
    /// Files of dead processes that are kept aside because something in them is damaged.
    pub damaged_files: u64,
    /// Sessions of which nothing more is kept, because their recording is as long as one may be.
    pub full_sessions: u64,
    /// Recordings that the database does not take: they stay in the spool and are offered again.
    pub refused_sessions: u64,
    /// Recordings that were closed ten minutes ago and are not signed, whoever closed them; none without a key.
    pub unsigned_recordings: u64,
    /// How long nothing could be shipped although something waited.
    pub not_shipped_for: Option<Duration>,
}

/// One word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolState {
    /// There is room.
    Well,
    /// Over 90 % of the limit: no new terminal that must be recorded is opened.
    NearlyFull,
    /// Nothing can be kept.
    Refusing,
}

impl RecorderHealth {
    /// The word.
    pub const fn state(&self) -> SpoolState {
        if self.fault.is_some() {
            SpoolState::Refusing
        } else if self.spooled_bytes >= self.spool_limit_bytes / 100 * 90 {
            SpoolState::NearlyFull
        } else {
            SpoolState::Well
        }
    }
}

impl Shared {
    pub(super) fn health(&self) -> RecorderHealth {
        let free = u64::try_from(self.queue.available_permits()).unwrap_or(u64::MAX);
        RecorderHealth {
            spooled_bytes: self.spool.usage().used(),
            spool_limit_bytes: self.spool.usage().limit(),
            queued_bytes: u64::from(self.queue_bytes).saturating_sub(free),
            fault: self.fault.borrow().clone(),
            damaged_files: self.spool.damaged(),
            full_sessions: self.full_sessions(),
            refused_sessions: self.shipping.refused_sessions(),
            unsigned_recordings: self.shipping.unsigned_recordings(),
            not_shipped_for: self.shipping.not_shipped_for(),
        }
    }

    fn full_sessions(&self) -> u64 {
        let tracks = self.known_tracks();
        let full = tracks
            .iter()
            .filter(|track| *track.ceiling.is_reached().borrow());
        full.count() as u64
    }
}
