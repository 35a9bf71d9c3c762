//! Frames the server sends.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{DecodeError, limits, reader};

const WELCOME: u8 = 0x81;
const OUTPUT: u8 = 0x82;
const REPLAY: u8 = 0x83;
const INPUT_ACK: u8 = 0x84;
const PONG: u8 = 0x85;
const NOTICE: u8 = 0x86;
const EXIT: u8 = 0x87;

/// One frame from server to browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// 0x81: attached; where both streams stand and how much may be under way.
    Welcome(Welcome),
    /// 0x82: output. Its offset follows from what came before.
    Output {
        /// The bytes, at most [`limits::MAX_OUTPUT`].
        bytes: Bytes,
    },
    /// 0x83: what lies between a begin and an end was printed before this connection.
    Replay(Replay),
    /// 0x84: typed bytes before this offset have reached the shell.
    InputAck {
        /// First offset that has not.
        offset: u64,
        /// How many bytes beyond it the client may send now.
        credit: u32,
    },
    /// 0x85: the answer to a PING.
    Pong {
        /// The value of the PING.
        opaque: u64,
        /// Last measured round trip between server and shell, in microseconds.
        leg_micros: u32,
    },
    /// 0x86: something the page says outside the grid.
    Notice(Notice),
    /// 0x87: the shell has ended; a close follows.
    Exit(Exit),
    /// A frame of a later version, to be skipped.
    Ignored {
        /// The type byte, at least [`limits::FIRST_IGNORABLE_TYPE`].
        frame_type: u8,
    },
}

/// The body of WELCOME, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The shell's life; offsets count from its beginning.
    pub epoch: u32,
    /// The number of this attach among the session's, which HELLO gives back.
    pub attach: i64,
    /// Where output stands: everything before it was produced already.
    #[serde(rename = "out_off")]
    pub output_offset: u64,
    /// Where input stands: the client resends from here.
    #[serde(rename = "in_off")]
    pub input_offset: u64,
    /// Output bytes the server sends beyond the last ACK.
    pub window: u64,
    /// Typed bytes the client may send beyond `in_off` and each `INPUT_ACK`.
    pub input_window: u32,
    /// Greatest client message in bytes.
    pub max_frame: u32,
    /// How often the client should PING while visible, in milliseconds.
    pub ping_ms: u32,
    /// Time to the session's end in milliseconds; null while its clock has not started.
    pub remaining_ms: Option<u64>,
    /// What the client may do.
    pub mode: Mode,
    /// Offset of the first output byte that follows.
    pub replay_from: u64,
}

/// What a client may do with a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Read and write.
    Interactive,
}

/// One of the two marks around output that was printed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Begin or end.
    pub mark: ReplayMark,
    /// Offset of the first replayed byte.
    pub from: u64,
    /// Offset after the last replayed byte.
    pub to: u64,
    /// Whether bytes before `from` are lost to the client, so that it must reset its screen.
    pub truncated: bool,
}

/// Which end of a replay is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMark {
    /// The client mutes what its terminal would answer.
    Begin,
    /// The client unmutes once this mark is *parsed*.
    End,
}

/// The body of NOTICE, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened.
    pub code: NoticeCode,
    /// Key of the text the page shows.
    pub text: String,
    /// Values for that text.
    #[serde(default)]
    pub args: BTreeMap<String, serde_json::Value>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// The session ends soon or now; `remaining_ms` in the arguments.
    EndingIn,
    /// Input comes faster than allowed and is paused.
    Throttled,
    /// Input is not accepted for now: the leg to the shell is down, or authority is in doubt.
    Frozen,
    /// Input is accepted again.
    Thawed,
    /// The session's end has moved; `remaining_ms` in the arguments.
    DeadlineMoved,
    /// A person supervising the exam says something.
    Proctor,
    /// This process is about to restart; reconnecting loses nothing.
    Draining,
}

/// The body of EXIT, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code of the shell, if it exited.
    pub code: Option<i32>,
    /// Signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why, as a key: `shell_exited` or `session_ended`.
    pub reason: String,
}

impl ServerFrame {
    /// The type of an OUTPUT frame, for whoever sends its bytes behind it as they are.
    pub const OUTPUT: u8 = OUTPUT;

    /// Writes the frame as one message.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Welcome(welcome) => encode_json(WELCOME, welcome),
            Self::Output { bytes } => encode_output(bytes),
            Self::Replay(replay) => encode_replay(replay),
            Self::InputAck { offset, credit } => encode_pair(INPUT_ACK, *offset, *credit),
            Self::Pong { opaque, leg_micros } => encode_pair(PONG, *opaque, *leg_micros),
            Self::Notice(notice) => encode_json(NOTICE, notice),
            Self::Exit(exit) => encode_json(EXIT, exit),
            Self::Ignored { frame_type } => Bytes::copy_from_slice(&[*frame_type]),
        }
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`DecodeError`] names the frame and what is wrong with it.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let (frame_type, body) = reader::split(message)?;
        match frame_type {
            WELCOME => Ok(Self::Welcome(reader::json("WELCOME", &body)?)),
            OUTPUT => {
                reader::at_most("OUTPUT", body.len(), limits::MAX_OUTPUT)?;
                Ok(Self::Output { bytes: body })
            }
            REPLAY => decode_replay(&body),
            INPUT_ACK => decode_pair("INPUT_ACK", &body)
                .map(|(offset, credit)| Self::InputAck { offset, credit }),
            PONG => decode_pair("PONG", &body)
                .map(|(opaque, leg_micros)| Self::Pong { opaque, leg_micros }),
            NOTICE => Ok(Self::Notice(reader::json("NOTICE", &body)?)),
            EXIT => Ok(Self::Exit(reader::json("EXIT", &body)?)),
            frame_type if frame_type >= limits::FIRST_IGNORABLE_TYPE => {
                Ok(Self::Ignored { frame_type })
            }
            frame_type => Err(DecodeError::UnknownType { frame_type }),
        }
    }
}

fn encode_json(frame_type: u8, body: &impl Serialize) -> Bytes {
    let mut out = vec![frame_type];
    serde_json::to_writer(&mut out, body).expect("frame bodies have string keys only");
    out.into()
}

fn encode_pair(frame_type: u8, first: u64, second: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(13);
    out.put_u8(frame_type);
    out.put_u64(first);
    out.put_u32(second);
    out.freeze()
}

fn encode_output(bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + bytes.len());
    out.put_u8(OUTPUT);
    out.put_slice(bytes);
    out.freeze()
}

fn encode_replay(replay: &Replay) -> Bytes {
    let mut out = BytesMut::with_capacity(19);
    out.put_u8(REPLAY);
    out.put_u8(u8::from(replay.mark == ReplayMark::End));
    out.put_u64(replay.from);
    out.put_u64(replay.to);
    out.put_u8(u8::from(replay.truncated));
    out.freeze()
}

fn decode_pair(frame: &'static str, body: &Bytes) -> Result<(u64, u32), DecodeError> {
    let (first, rest) = reader::leading::<8>(frame, body)?;
    let wrong = DecodeError::WrongLength {
        frame,
        length: body.len(),
    };
    let second = reader::exact::<4>(frame, &rest).map_err(|_| wrong)?;
    Ok((u64::from_be_bytes(first), u32::from_be_bytes(second)))
}

fn decode_replay(body: &Bytes) -> Result<ServerFrame, DecodeError> {
    let raw = reader::exact::<18>("REPLAY", body)?;
    let number = |at: usize| {
        u64::from_be_bytes(
            raw[at..at + 8]
                .try_into()
                .expect("the slice is eight bytes long"),
        )
    };
    let flag = |at: usize, field| match raw[at] {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::OutOfRange {
            frame: "REPLAY",
            field,
        }),
    };
    Ok(ServerFrame::Replay(Replay {
        mark: if flag(0, "mark")? {
            ReplayMark::End
        } else {
            ReplayMark::Begin
        },
        from: number(1),
        to: number(9),
        truncated: flag(17, "truncated")?,
    }))
}
