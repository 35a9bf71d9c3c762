//! Reading fixed-size fields from a frame's body.

use bytes::Bytes;

use super::DecodeError;

/// Splits a message into its type byte and body.
pub(super) fn split(message: &Bytes) -> Result<(u8, Bytes), DecodeError> {
    let frame_type = *message.first().ok_or(DecodeError::Empty)?;
    Ok((frame_type, message.slice(1..)))
}

/// Reads a body that must be exactly `N` bytes.
pub(super) fn exact<const N: usize>(
    frame: &'static str,
    body: &[u8],
) -> Result<[u8; N], DecodeError> {
    body.try_into().map_err(|_| DecodeError::WrongLength {
        frame,
        length: body.len(),
    })
}

/// Reads a body that begins with a u64 and ends there.
pub(super) fn only_u64(frame: &'static str, body: &[u8]) -> Result<u64, DecodeError> {
    exact::<8>(frame, body).map(u64::from_be_bytes)
}

/// Reads the first `N` bytes of a body and hands back the rest.
pub(super) fn leading<const N: usize>(
    frame: &'static str,
    body: &Bytes,
) -> Result<([u8; N], Bytes), DecodeError> {
    let wrong = || DecodeError::WrongLength {
        frame,
        length: body.len(),
    };
    let head = body.get(..N).ok_or_else(wrong)?;
    let head = <[u8; N]>::try_from(head).map_err(|_| wrong())?;
    Ok((head, body.slice(N..)))
}

/// Reads a JSON body.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    frame: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    serde_json::from_slice(body).map_err(|_| DecodeError::Json { frame })
}

/// Refuses what is longer than `limit`.
pub(super) fn at_most(frame: &'static str, length: usize, limit: usize) -> Result<(), DecodeError> {
    if length > limit {
        Err(DecodeError::TooLong {
            frame,
            length,
            limit,
        })
    } else {
        Ok(())
    }
}
