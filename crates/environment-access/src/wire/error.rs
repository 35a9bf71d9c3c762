//! Why a message is not a frame, and which close code says so.

use thiserror::Error;

use super::CloseCode;

/// Why a message could not be read as a frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message has no type byte.
    #[error("read an empty message")]
    Empty,
    /// The type is unknown and not of the range a receiver may skip.
    #[error("read a frame of unknown type {frame_type:#04x}")]
    UnknownType {
        /// The type byte.
        frame_type: u8,
    },
    /// The body has the wrong length for its type.
    #[error("read a {frame} body of {length} bytes")]
    WrongLength {
        /// Name of the frame.
        frame: &'static str,
        /// Length of its body in bytes.
        length: usize,
    },
    /// The body is longer than the frame may be.
    #[error("read a {frame} of {length} bytes, more than {limit}")]
    TooLong {
        /// Name of the frame.
        frame: &'static str,
        /// Length in bytes.
        length: usize,
        /// Greatest length in bytes.
        limit: usize,
    },
    /// A field holds a value it cannot have.
    #[error("read {field} of a {frame} out of range")]
    OutOfRange {
        /// Name of the frame.
        frame: &'static str,
        /// Name of the field.
        field: &'static str,
    },
    /// The JSON body does not fit. The parser's message is left out: it may quote a ticket.
    #[error("read a {frame} whose JSON does not fit")]
    Json {
        /// Name of the frame.
        frame: &'static str,
    },
}

impl DecodeError {
    /// The close code that answers it: 1009 for what is too long, else 1002.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::TooBig,
            Self::Empty
            | Self::UnknownType { .. }
            | Self::WrongLength { .. }
            | Self::OutOfRange { .. }
            | Self::Json { .. } => CloseCode::Protocol,
        }
    }
}
