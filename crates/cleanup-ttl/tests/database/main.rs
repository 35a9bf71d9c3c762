//! Expiry and the read queries against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

mod expiry;
mod fixtures;
mod no_shows;
mod pseudonyms;
mod records;
mod unclaimed;
