//! The browser protocol `carrel-terminal.v1`: frames, close codes and limits.
//!
//! Each WebSocket message is binary and holds one frame: a type byte, then its body. Integers
//! are big-endian. Offsets count payload bytes since the shell's life began (an *epoch* of the
//! shell, not of the attachment), so that either side can say exactly how far it got.
//!
//! Types from [`limits::FIRST_IGNORABLE_TYPE`] up are for later versions: a receiver that does
//! not know one skips it. Any other unknown type is a protocol error.

mod client;
mod close;
mod error;
pub mod limits;
mod reader;
mod server;

pub use client::{ClientFrame, Detach, Hello, Resume};
pub use close::{Advice, CloseCode};
pub use error::DecodeError;
pub use server::{Exit, Mode, Notice, NoticeCode, Replay, ReplayMark, ServerFrame, Welcome};

/// The WebSocket subprotocol a client must offer.
pub const SUBPROTOCOL: &str = "carrel-terminal.v1";
