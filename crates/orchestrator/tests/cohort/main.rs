//! Whole exams given time or ended, against a real PostgreSQL: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "fixtures of tests fail by panicking")]

mod compensate;
mod end;
mod extend;
mod fixtures;
mod interrupted;
