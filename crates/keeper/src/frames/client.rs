use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::codec::{Frame, FrameError, at_least, exactly, from_json, put_json};

const OPEN: u8 = 0x01;
const INPUT: u8 = 0x02;
const RESIZE: u8 = 0x03;
const ACK: u8 = 0x04;
const PING: u8 = 0x05;

/// What a client says to the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// 0x01: asks for the terminal; the first frame of every stream, and only the first.
    Open(Open),
    /// 0x02: bytes for the shell.
    Input {
        /// Offset of the first byte, counted since the shell began.
        in_off: u64,
        /// At most [`super::MAX_PAYLOAD`] bytes.
        bytes: Bytes,
    },
    /// 0x03: the terminal has this size now.
    Resize(WindowSize),
    /// 0x04: output below this offset has been consumed.
    Ack {
        /// Output bytes consumed since the shell began.
        out_off: u64,
    },
    /// 0x05: asks for a PONG with the same token, ahead of any output.
    Ping {
        /// Opaque.
        token: u64,
    },
}

/// The body of OPEN (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The attach's fencing token: below the highest seen it is refused.
    pub epoch: i64,
    /// Columns of the terminal.
    pub cols: u16,
    /// Rows of the terminal.
    pub rows: u16,
    /// Where the client left off; `None` replays whatever the ring holds.
    pub resume: Option<Resume>,
}

/// A place in one shell's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Which shell, counted from 1 since the environment began.
    pub shell_epoch: u32,
    /// The first output byte the client does not have.
    pub out_off: u64,
}

/// A terminal's size in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Frame for ClientFrame {
    fn kind(&self) -> u8 {
        match self {
            Self::Open(_) => OPEN,
            Self::Input { .. } => INPUT,
            Self::Resize(_) => RESIZE,
            Self::Ack { .. } => ACK,
            Self::Ping { .. } => PING,
        }
    }

    fn write_body(&self, buffer: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            Self::Open(open) => put_json(OPEN, open, buffer)?,
            Self::Input { in_off, bytes } => {
                buffer.put_u64(*in_off);
                buffer.put_slice(bytes);
            }
            Self::Resize(size) => {
                buffer.put_u16(size.cols);
                buffer.put_u16(size.rows);
            }
            Self::Ack { out_off } => buffer.put_u64(*out_off),
            Self::Ping { token } => buffer.put_u64(*token),
        }
        Ok(())
    }

    fn read_body(kind: u8, mut body: Bytes) -> Result<Self, FrameError> {
        match kind {
            OPEN => from_json(kind, &body).map(Self::Open),
            INPUT => {
                at_least(kind, &body, 8)?;
                Ok(Self::Input {
                    in_off: body.get_u64(),
                    bytes: body,
                })
            }
            RESIZE => {
                exactly(kind, &body, 4)?;
                Ok(Self::Resize(WindowSize {
                    cols: body.get_u16(),
                    rows: body.get_u16(),
                }))
            }
            ACK => exactly(kind, &body, 8).map(|()| Self::Ack {
                out_off: body.get_u64(),
            }),
            PING => exactly(kind, &body, 8).map(|()| Self::Ping {
                token: body.get_u64(),
            }),
            _ => Err(FrameError::UnknownKind { kind }),
        }
    }
}
