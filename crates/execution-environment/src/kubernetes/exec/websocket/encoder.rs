use bytes::{BufMut, BytesMut};

use super::{BINARY, CLOSE, FIN, MASKED, MAX_CONTROL, PING, PONG};

/// What stands around the payload of a message: header, mask and channel byte.
const MOST_OVERHEAD: usize = 2 + 2 + 4 + 1;

/// The longest payload of one message, so that its length fits two bytes.
const MAX_MESSAGE: usize = u16::MAX as usize;

/// In the place of a length below it: the length follows, in two bytes.
const LONG: u8 = 126;

/// Appends a message of one frame: a first byte and what follows it.
///
/// `mask` has to be unpredictable: it keeps whoever chooses the payload from choosing what an
/// intermediary sees on the wire.
pub(in super::super) fn message(out: &mut BytesMut, mask: [u8; 4], first: u8, rest: &[u8]) {
    frame(out, BINARY, mask, &[&[first], rest]);
}

/// Appends a PING.
pub(in super::super) fn ping(out: &mut BytesMut, mask: [u8; 4]) {
    frame(out, PING, mask, &[]);
}

/// Appends the answer to a PING.
pub(in super::super) fn pong(out: &mut BytesMut, mask: [u8; 4], payload: &[u8]) {
    debug_assert!(payload.len() <= MAX_CONTROL, "a PING was as short");
    frame(out, PONG, mask, &[payload]);
}

/// Appends a CLOSE that says that all is well.
pub(in super::super) fn close(out: &mut BytesMut, mask: [u8; 4]) {
    frame(out, CLOSE, mask, &[&1000_u16.to_be_bytes()]);
}

fn frame(out: &mut BytesMut, opcode: u8, mask: [u8; 4], payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    assert!(length <= MAX_MESSAGE, "callers cut what is longer");
    out.reserve(MOST_OVERHEAD + length);
    out.put_u8(FIN | opcode);
    if let Ok(short @ 0..LONG) = u8::try_from(length) {
        out.put_u8(MASKED | short);
    } else {
        out.put_u8(MASKED | LONG);
        out.put_u16(u16::try_from(length).expect("checked above"));
    }
    out.put_slice(&mask);
    let begin = out.len();
    for part in payload {
        out.put_slice(part);
    }
    apply(mask, &mut out[begin..]);
}

fn apply(mask: [u8; 4], payload: &mut [u8]) {
    let word = u32::from_ne_bytes(mask);
    let (words, rest) = payload.as_chunks_mut::<4>();
    for bytes in words {
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
