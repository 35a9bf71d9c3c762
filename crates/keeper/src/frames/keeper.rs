use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::codec::{Frame, FrameError, at_least, exactly, from_json, put_json};

const OPENED: u8 = 0x81;
const OUTPUT: u8 = 0x82;
const INPUT_ACK: u8 = 0x84;
const PONG: u8 = 0x85;
const EXIT: u8 = 0x87;
const SUPERSEDED: u8 = 0x88;
const REFUSED: u8 = 0x89;

/// What the keeper says to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperFrame {
    /// 0x81: the stream holds the terminal; the first frame of an accepted stream.
    Opened(Opened),
    /// 0x82: bytes from the shell.
    Output {
        /// Offset of the first byte, counted since the shell began.
        off: u64,
        /// At most [`super::MAX_PAYLOAD`] bytes.
        bytes: Bytes,
    },
    /// 0x84: input below this offset has reached the PTY.
    InputAck {
        /// Input bytes written since the shell began.
        in_off: u64,
    },
    /// 0x85: answers a PING.
    Pong {
        /// The PING's token.
        token: u64,
    },
    /// 0x87: the shell ended and all its output was sent; the keeper closes the stream after it.
    Exit(Exit),
    /// 0x88: another attach took the terminal; the keeper closes the stream after it.
    Superseded(Superseded),
    /// 0x89: the request breaks a rule; the keeper closes the stream after it.
    Refused(Refused),
}

/// The body of OPENED (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Which shell, counted from 1.
    pub shell_epoch: u32,
    /// Output bytes produced so far: the ring's end.
    pub out_off: u64,
    /// Input bytes written so far: the client resends from here.
    pub in_off: u64,
    /// Offset of the first OUTPUT byte that follows.
    pub replay_from: u64,
    /// Whether output between the place asked for and `replay_from` is gone.
    pub truncated: bool,
    /// Whether the shell lives; when not, replay and EXIT follow.
    pub alive: bool,
}

/// The body of EXIT (JSON): exactly one of `code` and `signal` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Which shell ended.
    pub shell_epoch: u32,
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// The body of SUPERSEDED (JSON).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The attach epoch that holds the terminal now.
    pub epoch: i64,
}

/// The body of REFUSED (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which rule.
    pub code: RefusalCode,
    /// For logs.
    pub message: String,
}

/// The rules a client can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// A higher attach epoch has been seen.
    StaleEpoch,
    /// `attach --epoch` and the OPEN frame name different epochs.
    EpochMismatch,
    /// The first frame was not OPEN, or did not come in time.
    BadOpen,
    /// Bytes that are no frame, or a frame that has no place here.
    Protocol,
    /// Input begins beyond the last byte received.
    InputGap,
    /// More than [`super::INPUT_WINDOW`] bytes of input are not yet written.
    InputOverflow,
    /// The client is a process of the environment itself, not one put there from outside.
    ForeignPeer,
    /// The shell could not be started.
    ShellFailed,
    /// No keeper listens (said by `attach`).
    NoKeeper,
    /// `attach --instance` names another environment than this one (said by `attach`).
    OtherInstance,
    /// A code of a newer keeper.
    #[serde(other)]
    Other,
}

impl Frame for KeeperFrame {
    fn kind(&self) -> u8 {
        match self {
            Self::Opened(_) => OPENED,
            Self::Output { .. } => OUTPUT,
            Self::InputAck { .. } => INPUT_ACK,
            Self::Pong { .. } => PONG,
            Self::Exit(_) => EXIT,
            Self::Superseded(_) => SUPERSEDED,
            Self::Refused(_) => REFUSED,
        }
    }

    fn write_body(&self, buffer: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            Self::Opened(opened) => return put_json(OPENED, opened, buffer),
            Self::Exit(exit) => return put_json(EXIT, exit, buffer),
            Self::Superseded(superseded) => return put_json(SUPERSEDED, superseded, buffer),
            Self::Refused(refused) => return put_json(REFUSED, refused, buffer),
            Self::Output { off, bytes } => {
                buffer.put_u64(*off);
                buffer.put_slice(bytes);
            }
            Self::InputAck { in_off } => buffer.put_u64(*in_off),
            Self::Pong { token } => buffer.put_u64(*token),
        }
        Ok(())
    }

    fn read_body(kind: u8, mut body: Bytes) -> Result<Self, FrameError> {
        match kind {
            OPENED => from_json(kind, &body).map(Self::Opened),
            OUTPUT => {
                at_least(kind, &body, 8)?;
                Ok(Self::Output {
                    off: body.get_u64(),
                    bytes: body,
                })
            }
            INPUT_ACK => exactly(kind, &body, 8).map(|()| Self::InputAck {
                in_off: body.get_u64(),
            }),
            PONG => exactly(kind, &body, 8).map(|()| Self::Pong {
                token: body.get_u64(),
            }),
            EXIT => from_json(kind, &body).map(Self::Exit),
            SUPERSEDED => from_json(kind, &body).map(Self::Superseded),
            REFUSED => from_json(kind, &body).map(Self::Refused),
            _ => Err(FrameError::UnknownKind { kind }),
        }
    }
}
