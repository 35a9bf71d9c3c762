#![doc = include_str!("../README.md")]

pub mod frames;
pub mod report;

pub use frames::{ClientFrame, Decoder, Frame, FrameError, KeeperFrame};
pub use report::VerifyReport;

/// Where the keeper listens inside every environment.
pub const SOCKET_PATH: &str = "/run/carrel/keeper.sock";

/// Where the keeper's binary lies inside every environment.
pub const BINARY_PATH: &str = "/carrel/keeper";
