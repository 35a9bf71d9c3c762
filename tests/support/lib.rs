#![doc = include_str!("../README.md")]
#![expect(
    clippy::missing_panics_doc,
    reason = "everything here panics when a story does not go as told: that is how a test fails"
)]

pub mod api_proxy;
pub mod browser;
pub mod cluster;
pub mod crew;
pub mod database;
mod diagnosis;
pub mod engine;
pub mod events;
pub mod exams;
pub mod fault_proxy;
pub mod faulty_runtime;
pub mod hanging_runtime;
pub mod helm;
pub mod http;
mod intensity;
pub mod intercepted_runtime;
pub mod invariants;
pub mod kubernetes;
pub mod ledger;
mod leftovers;
pub mod logins;
pub mod pooler;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod release;
pub mod runtime;
pub mod settings;
pub mod status;
pub mod stories;
pub mod system;
pub mod terminal;
pub mod typist;
pub mod wait;

pub use intensity::Intensity;
pub use system::{Candidate, Place, Plan, Taken, TestSystem, Weight, take_places};
