//! The first bytes of a frame.

use super::FrameFault;

/// Longest header: two bytes, an 8-byte length and a 4-byte mask.
const LONGEST: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xA;

/// Longest payload of a control frame, and of a length in the second byte itself.
const SHORT: u8 = 125;
/// In the place of the length: it follows in two bytes.
const TWO_BYTES: u8 = 126;
/// The same, in eight.
const EIGHT_BYTES: u8 = 127;

/// A header as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Header {
    bytes: [u8; LONGEST],
    have: usize,
}

impl Header {
    /// Adds a byte to a header that is not complete.
    pub(super) const fn push(&mut self, byte: u8) {
        self.bytes[self.have] = byte;
        self.have += 1;
    }

    /// Looks at what the last byte added has shown.
    pub(super) fn judge(&self, in_message: bool, limit: u64) -> Result<(), FrameFault> {
        match self.have {
            1 => self.judge_type(in_message),
            2 => self.judge_mask().and_then(|()| self.judge_length(limit)),
            _ => self.judge_length(limit),
        }
    }

    fn judge_type(&self, in_message: bool) -> Result<(), FrameFault> {
        if self.bytes[0] & RESERVED != 0 {
            return Err(FrameFault::Reserved);
        }
        match self.opcode() {
            CONTINUATION if in_message => Ok(()),
            TEXT | BINARY if in_message => Err(FrameFault::Order),
            CONTINUATION => Err(FrameFault::Order),
            TEXT => Err(FrameFault::Text),
            BINARY => Ok(()),
            CLOSE..=PONG if self.is_final() => Ok(()),
            CLOSE..=PONG => Err(FrameFault::Control),
            opcode => Err(FrameFault::Opcode(opcode)),
        }
    }

    fn judge_mask(&self) -> Result<(), FrameFault> {
        if self.bytes[1] & MASKED == 0 {
            return Err(FrameFault::Unmasked);
        }
        if self.is_control() && self.bytes[1] & LENGTH > SHORT {
            return Err(FrameFault::Control);
        }
        Ok(())
    }

    fn judge_length(&self, limit: u64) -> Result<(), FrameFault> {
        if self.have != 2 + self.length_bytes() {
            return Ok(());
        }
        let announced = self.announced();
        let is_written_well = match self.bytes[1] & LENGTH {
            TWO_BYTES => announced > u64::from(SHORT),
            EIGHT_BYTES => announced > u64::from(u16::MAX) && i64::try_from(announced).is_ok(),
            _ => true,
        };
        if !is_written_well {
            return Err(FrameFault::Length);
        }
        if announced > limit {
            return Err(FrameFault::TooLong { announced, limit });
        }
        Ok(())
    }

    /// Whether the payload comes next.
    pub(super) fn is_complete(&self) -> bool {
        self.have >= 2 && self.have == 2 + self.length_bytes() + 4
    }

    /// Payload bytes it announces.
    pub(super) fn announced(&self) -> u64 {
        if self.length_bytes() == 0 {
            return u64::from(self.bytes[1] & LENGTH);
        }
        let bytes = &self.bytes[2..2 + self.length_bytes()];
        bytes
            .iter()
            .fold(0, |length, byte| (length << 8) | u64::from(*byte))
    }

    pub(super) const fn is_final(&self) -> bool {
        self.bytes[0] & FIN != 0
    }

    pub(super) const fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    pub(super) const fn is_close(&self) -> bool {
        self.opcode() == CLOSE
    }

    const fn opcode(&self) -> u8 {
        self.bytes[0] & OPCODE
    }

    const fn length_bytes(&self) -> usize {
        match self.bytes[1] & LENGTH {
            TWO_BYTES => 2,
            EIGHT_BYTES => 8,
            _ => 0,
        }
    }
}
