//! The chart installed on the test bed, as an administrator does it, and lived with.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod browser;
mod installed;
mod poll;
mod terminal_replica_deleted;
mod uninstalled;
mod upgraded;
