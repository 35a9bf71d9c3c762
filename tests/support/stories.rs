//! Stories that are told on more than one runtime, word for word the same.

pub mod duplicate_delivery;
pub mod fifty_candidates;
pub mod preparation_refused;
pub mod restored_older_database;
mod surroundings;
