//! The store against a real PostgreSQL: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

mod extension;
mod fixtures;
mod insertion;
mod listing;
mod model;
mod race;
mod request_key;
mod sweep;
mod table;
mod transition;
