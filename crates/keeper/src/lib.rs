#![doc = include_str!("../README.md")]

pub mod frames;
mod proof;
pub mod report;

pub use frames::{ClientFrame, Decoder, Frame, FrameError, KeeperFrame};
pub use proof::IsolationProof;
pub use report::VerifyReport;

/// Where the keeper listens inside every environment.
pub const SOCKET_PATH: &str = "/run/carrel/keeper.sock";

/// Where the keeper's binary lies inside every environment.
pub const BINARY_PATH: &str = "/carrel/keeper";

/// Where the folder lies that `keeper install` seals, when it installs to [`BINARY_PATH`].
pub const SEALED_PATH: &str = "/carrel/sealed";

/// What an environment's processes find the runtime's name for it in; `attach` compares it.
pub const INSTANCE_VARIABLE: &str = "CARREL_INSTANCE";
