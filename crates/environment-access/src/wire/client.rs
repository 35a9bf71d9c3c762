//! Frames a browser sends.

use bytes::{BufMut, Bytes, BytesMut};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DecodeError, limits, reader};

const HELLO: u8 = 0x01;
const INPUT: u8 = 0x02;
const RESIZE: u8 = 0x03;
const ACK: u8 = 0x04;
const PING: u8 = 0x05;
const DETACH: u8 = 0x06;

/// One frame from browser to server.
#[derive(Debug, Clone)]
pub enum ClientFrame {
    /// 0x01: the first frame, with the ticket and the size of the screen.
    Hello(Hello),
    /// 0x02: typed bytes, beginning at an offset of this shell's life. A resend is harmless.
    Input {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes, at most [`limits::MAX_INPUT`].
        bytes: Bytes,
    },
    /// 0x03: the screen's new size; the last one wins.
    Resize {
        /// Columns, within [`limits::COLUMNS`].
        columns: u16,
        /// Rows, within [`limits::ROWS`].
        rows: u16,
    },
    /// 0x04: output before this offset has been *parsed*, not merely received.
    Ack {
        /// First offset not yet parsed.
        offset: u64,
    },
    /// 0x05: to be answered at once by a PONG with the same value.
    Ping {
        /// Any value.
        opaque: u64,
    },
    /// 0x06: the page is closing. Best effort only.
    Detach(Detach),
    /// A frame of a later version, to be skipped.
    Ignored {
        /// The type byte, at least [`limits::FIRST_IGNORABLE_TYPE`].
        frame_type: u8,
    },
}

/// The body of HELLO, as JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    /// The single-use ticket.
    pub ticket: SecretString,
    /// Columns of the screen.
    #[serde(rename = "cols")]
    pub columns: u16,
    /// Rows of the screen.
    pub rows: u16,
    /// Where an earlier connection got to; null for a fresh screen.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Which page speaks, by a number that it drew when it was loaded; null where an older page does.
    #[serde(default)]
    pub page: Option<Uuid>,
    /// The attach that a page held which comes back by itself: no other page may have attached since.
    /// Null takes the terminal over.
    #[serde(default)]
    pub attach: Option<i64>,
    /// Names of optional features the client knows; unknown ones are skipped.
    #[serde(default, rename = "caps")]
    pub capabilities: Vec<String>,
}

/// Where an earlier connection to the same shell got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The shell's life the offsets belong to.
    pub epoch: u32,
    /// Output received so far.
    #[serde(rename = "out_off")]
    pub output_offset: u64,
    /// Input sent so far.
    #[serde(rename = "in_off")]
    pub input_offset: u64,
}

/// What becomes of the shell when the page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detach {
    /// The shell goes on.
    Keep,
    /// The shell is ended.
    EndShell,
}

impl ClientFrame {
    /// Reads one message.
    ///
    /// # Errors
    /// [`DecodeError`] names the frame and what is wrong with it, never its content.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let (frame_type, body) = reader::split(message)?;
        match frame_type {
            HELLO => decode_hello(&body),
            INPUT => decode_input(&body),
            RESIZE => decode_resize(&body),
            ACK => Ok(Self::Ack {
                offset: reader::only_u64("ACK", &body)?,
            }),
            PING => Ok(Self::Ping {
                opaque: reader::only_u64("PING", &body)?,
            }),
            DETACH => decode_detach(&body),
            frame_type if frame_type >= limits::FIRST_IGNORABLE_TYPE => {
                Ok(Self::Ignored { frame_type })
            }
            frame_type => Err(DecodeError::UnknownType { frame_type }),
        }
    }

    /// Writes the frame as one message; the ticket of a HELLO is in it.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Hello(hello) => {
                out.put_u8(HELLO);
                out.put_slice(hello.to_json().as_bytes());
            }
            Self::Input { offset, bytes } => {
                out.put_u8(INPUT);
                out.put_u64(*offset);
                out.put_slice(bytes);
            }
            Self::Resize { columns, rows } => {
                out.put_u8(RESIZE);
                out.put_u16(*columns);
                out.put_u16(*rows);
            }
            Self::Ack { offset } => {
                out.put_u8(ACK);
                out.put_u64(*offset);
            }
            Self::Ping { opaque } => {
                out.put_u8(PING);
                out.put_u64(*opaque);
            }
            Self::Detach(detach) => {
                out.put_u8(DETACH);
                out.put_u8(u8::from(*detach == Detach::EndShell));
            }
            Self::Ignored { frame_type } => out.put_u8(*frame_type),
        }
        out.freeze()
    }
}

impl Hello {
    fn to_json(&self) -> String {
        serde_json::json!({
            "ticket": self.ticket.expose_secret(),
            "cols": self.columns,
            "rows": self.rows,
            "resume": self.resume,
            "page": self.page,
            "attach": self.attach,
            "caps": self.capabilities,
        })
        .to_string()
    }
}

fn decode_hello(body: &Bytes) -> Result<ClientFrame, DecodeError> {
    reader::at_most("HELLO", 1 + body.len(), limits::MAX_HELLO)?;
    let hello: Hello = reader::json("HELLO", body)?;
    check_size("HELLO", hello.columns, hello.rows)?;
    Ok(ClientFrame::Hello(hello))
}

fn decode_input(body: &Bytes) -> Result<ClientFrame, DecodeError> {
    let (offset, bytes) = reader::leading::<8>("INPUT", body)?;
    reader::at_most("INPUT", bytes.len(), limits::MAX_INPUT)?;
    let offset = u64::from_be_bytes(offset);
    // The end of these bytes is an offset too, so it must exist.
    let length = u64::try_from(bytes.len()).expect("a message is shorter than 2^64 bytes");
    if offset.checked_add(length).is_none() {
        return Err(DecodeError::OutOfRange {
            frame: "INPUT",
            field: "in_off",
        });
    }
    Ok(ClientFrame::Input { offset, bytes })
}

fn decode_resize(body: &Bytes) -> Result<ClientFrame, DecodeError> {
    let [a, b, c, d] = reader::exact::<4>("RESIZE", body)?;
    let (columns, rows) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    check_size("RESIZE", columns, rows)?;
    Ok(ClientFrame::Resize { columns, rows })
}

fn decode_detach(body: &Bytes) -> Result<ClientFrame, DecodeError> {
    match reader::exact::<1>("DETACH", body)? {
        [0] => Ok(ClientFrame::Detach(Detach::Keep)),
        [1] => Ok(ClientFrame::Detach(Detach::EndShell)),
        _ => Err(DecodeError::OutOfRange {
            frame: "DETACH",
            field: "shell",
        }),
    }
}

fn check_size(frame: &'static str, columns: u16, rows: u16) -> Result<(), DecodeError> {
    if !limits::COLUMNS.contains(&columns) {
        return Err(DecodeError::OutOfRange {
            frame,
            field: "cols",
        });
    }
    if !limits::ROWS.contains(&rows) {
        return Err(DecodeError::OutOfRange {
            frame,
            field: "rows",
        });
    }
    Ok(())
}
