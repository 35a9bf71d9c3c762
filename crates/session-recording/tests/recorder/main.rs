//! The recorder against a real database and a real disk.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod disk;
mod kill;
mod queue;
mod recovery;
mod support;
mod tape;
