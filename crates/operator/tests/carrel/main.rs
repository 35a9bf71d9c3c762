//! `carrel` as it is called: the binary, a database of its own, JSON and exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod audit;
mod cohort;
mod compensation;
mod completing;
mod doctor;
mod lifecycle;
mod migrate;
mod rehearsed;
mod run;
mod sessions;
mod story;
mod sweeps;
mod terminal;
mod version;
mod watching;
