//! The schema of Carrel: forward-only SQL files and the migrator that applies them.
//!
//! One file, one concern; the first line of each names the crate that owns its tables. Files are
//! never edited once released. [`MIGRATOR`] is what `carrel migrate` and every test database run.

/// Applies every migration of this folder in order, each in its own transaction.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");
