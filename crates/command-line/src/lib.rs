#![doc = include_str!("../README.md")]

mod args;
mod counted;
mod direct;
mod document;
mod duration;
mod error;
mod exit;
mod lines;
mod moment;
mod run;
mod terminal;
mod usage;

pub use args::{DatabaseArgs, GlobalArgs, OutputFormat};
pub use counted::counted;
pub use direct::DirectDatabaseArgs;
pub use document::Document;
pub use duration::parse_duration;
pub use error::CliError;
pub use exit::Exit;
pub use lines::print_line;
pub use moment::Moment;
pub use run::{RunCommand, main};
pub use terminal::{ProgressLine, ask, bar, can_ask};
