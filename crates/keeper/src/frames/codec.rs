use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MAX_FRAME;

/// The bytes before every frame: the length.
const HEADER: usize = 4;

/// What both directions' frames can do.
pub trait Frame: Sized {
    /// Returns the type byte.
    fn kind(&self) -> u8;

    /// Appends the body, without length and type.
    ///
    /// # Errors
    /// [`FrameError::Json`] when a JSON body cannot be written.
    fn write_body(&self, buffer: &mut BytesMut) -> Result<(), FrameError>;

    /// Reads the body of a frame of type `kind`.
    ///
    /// # Errors
    /// [`FrameError::UnknownKind`], [`FrameError::WrongLength`] or [`FrameError::Json`].
    fn read_body(kind: u8, body: Bytes) -> Result<Self, FrameError>;

    /// Appends the whole frame to `buffer`; on an error `buffer` is unchanged.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when type and body exceed [`MAX_FRAME`].
    fn encode(&self, buffer: &mut BytesMut) -> Result<(), FrameError> {
        let start = buffer.len();
        buffer.put_u32(0);
        buffer.put_u8(self.kind());
        let written = self.write_body(buffer).and_then(|()| {
            let length = buffer.len() - start - HEADER;
            if length > MAX_FRAME {
                return Err(FrameError::TooLong {
                    length: length as u64,
                });
            }
            Ok(u32::try_from(length).expect("MAX_FRAME fits u32"))
        });
        match written {
            Ok(length) => {
                buffer[start..start + HEADER].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                buffer.truncate(start);
                Err(error)
            }
        }
    }

    /// Returns the whole frame as bytes.
    ///
    /// # Errors
    /// As [`Frame::encode`].
    fn to_bytes(&self) -> Result<Bytes, FrameError> {
        let mut buffer = BytesMut::new();
        self.encode(&mut buffer)?;
        Ok(buffer.freeze())
    }
}

/// Why bytes are not a frame, or a frame not bytes. The stream cannot continue after one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length field is above [`MAX_FRAME`]; nothing of the body was buffered for it.
    #[error("frame of {length} bytes is above the limit of {MAX_FRAME}")]
    TooLong {
        /// Type byte and body, in bytes.
        length: u64,
    },
    /// The length field is zero: not even a type byte.
    #[error("frame without a type byte")]
    Empty,
    /// No frame of this direction has this type.
    #[error("unknown frame type {kind:#04x}")]
    UnknownKind {
        /// The type byte.
        kind: u8,
    },
    /// The body is too short or too long for its type.
    #[error("frame type {kind:#04x} cannot have a body of {length} bytes")]
    WrongLength {
        /// The type byte.
        kind: u8,
        /// The body, in bytes.
        length: usize,
    },
    /// The body is not the JSON its type requires.
    #[error("frame type {kind:#04x} carries unusable JSON")]
    Json {
        /// The type byte.
        kind: u8,
        /// What the JSON parser said.
        source: serde_json::Error,
    },
}

/// Turns a byte stream, cut anywhere, into frames of one direction.
///
/// The length is judged before the body arrives, so a hostile length costs four bytes of memory.
#[derive(Debug)]
pub struct Decoder<F> {
    buffer: BytesMut,
    frames: PhantomData<fn() -> F>,
}

impl<F> Default for Decoder<F> {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            frames: PhantomData,
        }
    }
}

impl<F: Frame> Decoder<F> {
    /// Returns a decoder with nothing buffered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes as they came from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Lends the buffer, to read from a stream straight into it.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Returns the bytes that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// Any [`FrameError`]; call it no further then, the stream is out of step.
    pub fn next_frame(&mut self) -> Result<Option<F>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length == 0 {
            return Err(FrameError::Empty);
        }
        if length > MAX_FRAME {
            return Err(FrameError::TooLong {
                length: length as u64,
            });
        }
        if self.buffer.len() < HEADER + length {
            self.buffer.reserve(HEADER + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        let mut frame = self.buffer.split_to(length).freeze();
        let kind = frame.get_u8();
        F::read_body(kind, frame).map(Some)
    }
}

/// Refuses a body that is not exactly `expected` bytes.
pub(super) fn exactly(kind: u8, body: &Bytes, expected: usize) -> Result<(), FrameError> {
    if body.len() == expected {
        return Ok(());
    }
    Err(FrameError::WrongLength {
        kind,
        length: body.len(),
    })
}

/// Refuses a body shorter than `least` bytes.
pub(super) fn at_least(kind: u8, body: &Bytes, least: usize) -> Result<(), FrameError> {
    if body.len() >= least {
        return Ok(());
    }
    Err(FrameError::WrongLength {
        kind,
        length: body.len(),
    })
}

/// Reads a JSON body.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    kind: u8,
    body: &Bytes,
) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|source| FrameError::Json { kind, source })
}

/// Writes a JSON body.
pub(super) fn put_json<T: serde::Serialize>(
    kind: u8,
    value: &T,
    buffer: &mut BytesMut,
) -> Result<(), FrameError> {
    serde_json::to_writer(buffer.writer(), value)
        .map_err(|source| FrameError::Json { kind, source })
}
