//! The channels of an exec: the first byte of every message says whose the rest is.
//!
//! 0 is standard input, 1 output, 2 errors, 3 the Status document at the end, 4 the size of a
//! terminal; 255 closes the channel that its second byte names. An exec of the keeper has no
//! terminal, whose line discipline would change its frames; sizes travel in those frames.

use bytes::BytesMut;

use super::websocket::{self, Control, FrameDecoder, FrameFault, Piece};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;

/// A Status has a kilobyte at most; what is longer is cut, and then it does not parse.
const MAX_STATUS: usize = 16 * 1024;
/// The end of what a failing command said, as evidence.
const STDERR_TAIL: usize = 1024;

/// The two forms of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One channel can be closed.
    V5,
    /// Only the whole stream can.
    V4,
}

impl Protocol {
    /// Both, in the order of preference.
    pub(super) const OFFERED: &'static str = "v5.channel.k8s.io, v4.channel.k8s.io";

    /// The one that a server chose.
    pub(super) fn chosen(name: &[u8]) -> Option<Self> {
        match name {
            b"v5.channel.k8s.io" => Some(Self::V5),
            b"v4.channel.k8s.io" => Some(Self::V4),
            _ => None,
        }
    }

    /// Appends what ends standard input.
    pub(super) fn end_input(self, out: &mut BytesMut, mask: [u8; 4]) {
        match self {
            Self::V5 => websocket::message(out, mask, CLOSE, &[STDIN]),
            Self::V4 => websocket::close(out, mask),
        }
    }
}

/// Appends a message of standard input.
pub(super) fn put_input(out: &mut BytesMut, mask: [u8; 4], bytes: &[u8]) {
    websocket::message(out, mask, STDIN, bytes);
}

/// Takes apart what a server sends.
#[derive(Debug, Default)]
pub(super) struct ChannelDecoder {
    frames: FrameDecoder,
    /// Whose the rest of the current message is.
    channel: Option<u8>,
    stderr: Vec<u8>,
    status: Vec<u8>,
    status_complete: bool,
    ping: Option<Control>,
    closed: bool,
}

impl ChannelDecoder {
    /// Takes in what was read and leaves standard output at its front; returns how much that is.
    ///
    /// Everything else is kept in bounds and told by the other methods. After the server's CLOSE
    /// nothing is read any more.
    pub(super) fn decode(&mut self, input: &mut [u8]) -> Result<usize, FrameFault> {
        let (mut read, mut output) = (0, 0);
        while read < input.len() && !self.closed {
            let (used, piece) = self.frames.next(&input[read..])?;
            match piece {
                Some(Piece::Payload {
                    range,
                    ends_message,
                }) => {
                    let range = read + range.start..read + range.end;
                    let payload = self.payload(&input[range.clone()]);
                    if let Payload::Output { skip } = payload {
                        let range = range.start + skip..range.end;
                        let length = range.len();
                        input.copy_within(range, output);
                        output += length;
                    }
                    self.end_message(ends_message);
                }
                // Only the latest has to be answered.
                Some(Piece::Ping(ping)) => self.ping = Some(ping),
                Some(Piece::Close(code)) => {
                    tracing::trace!(code, "the server closed the stream");
                    self.closed = true;
                }
                Some(Piece::Pong) | None => {}
            }
            read += used;
        }
        Ok(output)
    }

    /// The PING that waits for its answer.
    pub(super) fn take_ping(&mut self) -> Option<Control> {
        self.ping.take()
    }

    /// The Status document, once it is there.
    pub(super) fn status(&self) -> Option<&[u8]> {
        self.status_complete.then_some(&self.status)
    }

    /// Whether the server closed the stream.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The end of what the command wrote to standard error.
    pub(super) fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    fn payload(&mut self, bytes: &[u8]) -> Payload {
        let Some((channel, skip)) = self
            .channel
            .map(|channel| (channel, 0))
            .or_else(|| bytes.first().map(|first| (*first, 1)))
        else {
            return Payload::Kept;
        };
        self.channel = Some(channel);
        match channel {
            STDOUT => return Payload::Output { skip },
            STDERR => keep_tail(&mut self.stderr, &bytes[skip..]),
            STATUS => keep_head(&mut self.status, &bytes[skip..]),
            // A server's own closing of a channel tells nothing that the end does not.
            _ => {}
        }
        Payload::Kept
    }

    fn end_message(&mut self, ends_message: bool) {
        if !ends_message {
            return;
        }
        // The greeting of an exec without output is an empty message on this channel.
        self.status_complete |= self.channel == Some(STATUS) && !self.status.is_empty();
        self.channel = None;
    }
}

enum Payload {
    /// Standard output, after so many bytes.
    Output { skip: usize },
    /// Nothing of it is for the reader.
    Kept,
}

fn keep_tail(tail: &mut Vec<u8>, more: &[u8]) {
    let more = &more[more.len().saturating_sub(STDERR_TAIL)..];
    let surplus = (tail.len() + more.len()).saturating_sub(STDERR_TAIL);
    tail.drain(..surplus);
    tail.extend_from_slice(more);
}

fn keep_head(head: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_STATUS - head.len();
    head.extend_from_slice(&more[..more.len().min(room)]);
}

#[cfg(test)]
mod tests;
