//! The queue against a real PostgreSQL, through its public API only.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod ages;
mod backfill;
mod drain;
mod enqueue;
mod events;
mod example;
mod faults;
mod fence;
mod health;
mod hold;
mod limits;
mod load;
mod mutants;
mod operate;
mod operations;
mod outcomes;
mod payloads;
mod races;
mod rates;
mod retention;
mod schedules;
mod support;
mod versions;
mod wake_up;
