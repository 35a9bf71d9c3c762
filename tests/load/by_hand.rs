//! The same environments, asked of the runtime without Carrel.

mod engine;
mod pods;

pub(crate) use engine::measure as containers;
pub(crate) use pods::{Shape, measure as pods};
