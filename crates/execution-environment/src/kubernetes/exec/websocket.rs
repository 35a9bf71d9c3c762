//! WebSocket framing as a client needs it, holding no payload.

mod decoder;
mod encoder;

pub(super) use decoder::{Control, FrameDecoder, FrameFault, Piece};
pub(super) use encoder::{close, message, ping, pong};

/// The longest frame that is read, in bytes. API servers send at most 32 KiB and the channel byte;
/// what announces more is refused by its header.
pub(super) const MAX_FRAME: u64 = 1024 * 1024;

/// The longest payload of a control frame.
const MAX_CONTROL: usize = 125;

const CONTINUATION: u8 = 0x0;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// In the first byte: the last frame of its message.
const FIN: u8 = 0x80;
/// In the second byte: the payload is masked, as a client's must be and a server's must not.
const MASKED: u8 = 0x80;
