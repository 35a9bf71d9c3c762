#![doc = include_str!("../README.md")]

mod args;
mod bounds;
mod cell;
mod column;
mod counted;
mod direct;
mod document;
mod duration;
mod error;
mod exit;
mod lines;
mod list;
mod moment;
mod run;
mod table;
mod terminal;
mod usage;
mod window;

pub use args::{DatabaseArgs, GlobalArgs, OutputFormat};
pub use bounds::{READ_LASTS, WRITE_WAITS, read_within, wait_briefly, write_within};
pub use cell::Cell;
pub use column::Column;
pub use counted::counted;
pub use direct::DirectDatabaseArgs;
pub use document::Document;
pub use duration::parse_duration;
pub use error::CliError;
pub use exit::Exit;
pub use lines::print_line;
pub use list::{List, ListArgs, PagedArgs, WatchArgs};
pub use moment::Moment;
pub use run::{RunCommand, main, main_dressed};
pub use terminal::{ProgressLine, agree, ask, bar, can_ask, is_yes};
pub use window::Window;
