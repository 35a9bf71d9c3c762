//! The frames between a terminal process and the keeper: types, encoder, incremental decoder.
//!
//! On the wire: `u32` big-endian length of type byte and body, the type byte, the body.

mod client;
mod codec;
mod keeper;

pub use client::{ClientFrame, Open, Resume, WindowSize};
pub use codec::{Decoder, Frame, FrameError};
pub use keeper::{Exit, KeeperFrame, Opened, RefusalCode, Refused, Superseded};

/// The longest type byte + body, in bytes; a longer header is refused before its body is read.
pub const MAX_FRAME: usize = 64 * 1024 + 16;

/// The most payload one INPUT or OUTPUT frame may carry, in bytes.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The most output bytes the keeper sends beyond the last ACK.
///
/// Equal to [`RING`]: what is not yet acknowledged is still in the ring, so a client that comes
/// back at its last acknowledged offset always continues exactly there.
pub const WINDOW: u64 = RING as u64;

/// The output bytes the keeper remembers.
pub const RING: usize = 256 * 1024;

/// The most input bytes a client may have sent beyond the last `INPUT_ACK`.
pub const INPUT_WINDOW: usize = 256 * 1024;
