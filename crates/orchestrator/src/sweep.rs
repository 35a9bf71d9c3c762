//! Sweeps: recurring looks at the whole, each safe in any number of workers.

mod attachments;
mod expired;
mod history;
mod runtime;
mod schedule;
mod stuck;
mod teardowns;
mod unclaimed;

pub use schedule::{Sweep, SweepLoop, Sweeps};
pub use unclaimed::{Unclaimed, unclaimed};

use std::collections::BTreeMap;

use cleanup_ttl::PseudonymCounts;
use serde::Serialize;

/// What one pass of a sweep found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// Sessions ended because their time was over.
    pub expired: usize,
    /// Sessions failed because they did not become ready in time.
    pub stuck: usize,
    /// Sessions ended because nobody ever attached to them.
    pub no_shows: usize,
    /// How many sessions nobody has begun to prepare, by the reason that comes first: of the hundred that
    /// have waited longest.
    pub unclaimed: BTreeMap<String, usize>,
    /// Sessions failed because their environment was lost.
    pub lost: usize,
    /// Environments whose destruction was enqueued anew.
    pub teardowns: usize,
    /// Environments without an owner that were deleted.
    pub deleted: usize,
    /// Environments without an owner that were seen and not deleted yet.
    pub quarantined: usize,
    /// Attaches closed because their process had died.
    pub silent_attachments: u64,
    /// Jobs that were over for longer than they are kept.
    pub removed_jobs: u64,
    /// Jobs parked because no worker reads their kind and version.
    pub parked_jobs: u64,
    /// Days of the history of jobs.
    pub removed_days: u64,
    /// Workers not seen for long.
    pub removed_workers: u64,
    /// Tickets for terminals that nobody can use any more.
    pub removed_tickets: u64,
    /// Missed ticks of schedules that are old.
    pub removed_missed_ticks: u64,
    /// Old lines of the access log.
    pub removed_access_lines: u64,
    /// Recordings of terminals that were older than they are kept.
    pub removed_recordings: u64,
    /// Keys of requests whose session has been over for long.
    pub removed_request_keys: u64,
    /// Rows whose candidate got another name because their session has been over for long.
    pub pseudonymised: PseudonymCounts,
    /// Why nothing was deleted, when the plan looked wrong.
    pub refusal: Option<serde_json::Value>,
}

impl SweepReport {
    /// Tells whether the pass left everything as it was.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
