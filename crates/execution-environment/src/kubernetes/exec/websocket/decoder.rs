use std::ops::Range;

use super::{BINARY, CLOSE, CONTINUATION, FIN, MASKED, MAX_CONTROL, MAX_FRAME, PING, PONG};

/// Reads a server's frames in whatever pieces they arrive.
///
/// Payload of messages is never stored: it is told where it lies in the input. So a frame takes no
/// more memory than the read that brings it, however long it is.
#[derive(Debug, Default)]
pub(in super::super) struct FrameDecoder {
    header: Header,
    state: State,
    /// Whether a message has begun whose last frame has not.
    in_message: bool,
    control: Control,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    Message {
        left: u64,
        last: bool,
    },
    Control {
        opcode: u8,
        left: usize,
    },
}

/// What a part of the input is.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Piece {
    /// Payload of the current message, perhaps empty.
    Payload {
        /// Where it lies in the input.
        range: Range<usize>,
        /// Whether the message is complete with it.
        ends_message: bool,
    },
    /// A PING with what its PONG has to carry.
    Ping(Control),
    /// A PONG; it only shows life.
    Pong,
    /// The end, with the code where one was given.
    Close(Option<u16>),
}

/// Why the bytes are no WebSocket of a server; the stream cannot go on after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum FrameFault {
    /// A reserved bit without an extension that gave it a meaning.
    #[error("a frame has reserved bits set")]
    Reserved,
    /// Servers do not mask.
    #[error("a frame is masked")]
    Masked,
    /// No such type, or text, which no protocol of ours uses.
    #[error("a frame has opcode {0}")]
    Opcode(u8),
    /// A control frame is fragmented or too long.
    #[error("a control frame breaks the rules")]
    Control,
    /// A continuation of nothing, or a message within another.
    #[error("the frames of a message are out of order")]
    Order,
    /// The header announces more than is read; nothing of the payload was.
    #[error("a frame of {0} bytes is too long")]
    TooLong(u64),
}

impl FrameDecoder {
    /// Reads on: how much of `input` was used, and what the end of that was, if anything.
    pub(in super::super) fn next(
        &mut self,
        input: &[u8],
    ) -> Result<(usize, Option<Piece>), FrameFault> {
        let mut used = 0;
        if matches!(self.state, State::Header) {
            used = self.header.take(input);
            if !self.header.is_complete() {
                return Ok((used, None));
            }
            self.state = self.begin()?;
            self.header = Header::default();
        }
        let rest = &input[used..];
        match self.state {
            State::Header => Ok((used, None)),
            State::Message { left, last } => Ok(self.message(used, rest.len(), left, last)),
            State::Control { opcode, left } => Ok(self.control(used, rest, opcode, left)),
        }
    }

    /// Judges a complete header.
    fn begin(&mut self) -> Result<State, FrameFault> {
        let (first, length) = (self.header.bytes[0], self.header.length());
        let (last, opcode) = (first & FIN != 0, first & 0x0F);
        if first & 0x70 != 0 {
            return Err(FrameFault::Reserved);
        }
        if self.header.bytes[1] & MASKED != 0 {
            return Err(FrameFault::Masked);
        }
        match opcode {
            CLOSE | PING | PONG => {
                let left = usize::try_from(length).ok();
                let left = left.filter(|left| last && *left <= MAX_CONTROL);
                self.control = Control::default();
                let left = left.ok_or(FrameFault::Control)?;
                Ok(State::Control { opcode, left })
            }
            BINARY | CONTINUATION if self.in_message == (opcode == BINARY) => {
                Err(FrameFault::Order)
            }
            BINARY | CONTINUATION if length > MAX_FRAME => Err(FrameFault::TooLong(length)),
            BINARY | CONTINUATION => {
                self.in_message = !last;
                Ok(State::Message { left: length, last })
            }
            _ => Err(FrameFault::Opcode(opcode)),
        }
    }

    fn message(
        &mut self,
        used: usize,
        room: usize,
        left: u64,
        last: bool,
    ) -> (usize, Option<Piece>) {
        let count = usize::try_from(left).map_or(room, |left| left.min(room));
        if count == 0 && left > 0 {
            return (used, None);
        }
        let left = left - count as u64;
        self.state = if left == 0 {
            State::Header
        } else {
            State::Message { left, last }
        };
        let piece = Piece::Payload {
            range: used..used + count,
            ends_message: last && left == 0,
        };
        (used + count, Some(piece))
    }

    fn control(
        &mut self,
        used: usize,
        rest: &[u8],
        opcode: u8,
        left: usize,
    ) -> (usize, Option<Piece>) {
        let count = left.min(rest.len());
        self.control.push(&rest[..count]);
        let (used, left) = (used + count, left - count);
        if left > 0 {
            self.state = State::Control { opcode, left };
            return (used, None);
        }
        self.state = State::Header;
        let piece = match opcode {
            PING => Piece::Ping(self.control),
            PONG => Piece::Pong,
            _ => Piece::Close(self.control.close_code()),
        };
        (used, Some(piece))
    }
}

/// The first bytes of a frame, gathered one by one.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; 10],
    have: usize,
}

impl Header {
    fn take(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        while !self.is_complete() && used < input.len() {
            self.bytes[self.have] = input[used];
            self.have += 1;
            used += 1;
        }
        used
    }

    fn is_complete(&self) -> bool {
        let wanted = match self.bytes[1] & !MASKED {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        self.have >= 2 && self.have == wanted
    }

    fn length(&self) -> u64 {
        let extended = &self.bytes[2..self.have];
        match self.bytes[1] & !MASKED {
            short @ 0..126 => u64::from(short),
            _ => extended
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
        }
    }
}

/// The payload of a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Control {
    bytes: [u8; MAX_CONTROL],
    length: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_CONTROL],
            length: 0,
        }
    }
}

impl Control {
    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, more: &[u8]) {
        self.bytes[self.length..self.length + more.len()].copy_from_slice(more);
        self.length += more.len();
    }

    fn close_code(&self) -> Option<u16> {
        let code = self.bytes().first_chunk()?;
        Some(u16::from_be_bytes(*code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(input: &[u8]) -> Option<FrameFault> {
        let mut decoder = FrameDecoder::default();
        let mut rest = input;
        loop {
            match decoder.next(rest) {
                Err(fault) => return Some(fault),
                Ok((_, None)) => return None,
                Ok((used, Some(_))) => rest = &rest[used..],
            }
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        let long = (MAX_FRAME + 1).to_be_bytes();
        let oversize = [&[0x82, 127][..], &long].concat();
        let cases: [(&[u8], FrameFault); 12] = [
            (&[0xC2, 0], FrameFault::Reserved),
            (&[0x92, 0], FrameFault::Reserved),
            (&[0x82, 0x80], FrameFault::Masked),
            (&[0x81, 0], FrameFault::Opcode(1)),
            (&[0x83, 0], FrameFault::Opcode(3)),
            (&[0x8B, 0], FrameFault::Opcode(11)),
            (&[0x09, 0], FrameFault::Control),
            (&[0x89, 126, 0, 126], FrameFault::Control),
            (&[0x80, 0], FrameFault::Order),
            (&[0x02, 1, 7, 0x82, 0], FrameFault::Order),
            (&oversize, FrameFault::TooLong(MAX_FRAME + 1)),
            (
                &[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255],
                FrameFault::TooLong(u64::MAX),
            ),
        ];
        for (input, fault) in cases {
            assert_eq!(faults_of(input), Some(fault), "{input:x?}");
        }
    }

    #[test]
    fn a_control_frame_may_stand_within_a_message() {
        let input = [0x02, 1, b'a', 0x89, 2, b'h', b'i', 0x80, 1, b'b'];
        let mut decoder = FrameDecoder::default();
        let (used, first) = decoder.next(&input).unwrap();
        assert_eq!(
            (used, first),
            (
                3,
                Some(Piece::Payload {
                    range: 2..3,
                    ends_message: false
                })
            )
        );
        let (used, Some(Piece::Ping(ping))) = decoder.next(&input[3..]).unwrap() else {
            panic!("no PING");
        };
        assert_eq!((used, ping.bytes()), (4, &b"hi"[..]));
        let last = Piece::Payload {
            range: 2..3,
            ends_message: true,
        };
        assert_eq!(decoder.next(&input[7..]).unwrap(), (3, Some(last)));
    }

    #[test]
    fn a_close_tells_its_code_where_it_has_one() {
        let close = |input: &[u8]| FrameDecoder::default().next(input).unwrap().1;
        assert_eq!(close(&[0x88, 0]), Some(Piece::Close(None)));
        assert_eq!(close(&[0x88, 2, 3, 0xE8]), Some(Piece::Close(Some(1000))));
    }
}
