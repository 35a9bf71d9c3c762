//! What waits to go to the browser: control frames first, output within its window.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use environment_access::wire::{Replay, ReplayMark, ServerFrame, limits};

/// Two queues: control frames, which never wait for output, and output, which waits for credit.
#[derive(Debug)]
pub(crate) struct Outbox {
    control: VecDeque<Bytes>,
    output: VecDeque<Bytes>,
    /// Offset after the last byte queued.
    received: u64,
    /// Offset after the last byte given to the socket.
    sent: u64,
    /// Offset the browser has parsed up to.
    acked: u64,
    /// The end mark of a replay, due when `sent` gets there.
    replay_end: Option<Replay>,
    /// Frames due when all output is sent.
    last: VecDeque<Bytes>,
}

/// What the leg sent does not follow on what it sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("continue output at {expected}: the leg sent {got}")]
pub(crate) struct OutputGap {
    expected: u64,
    got: u64,
}

/// The browser acknowledges what was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accept an acknowledgement of {offset}: output stands at {sent}")]
pub(crate) struct AckBeyondOutput {
    offset: u64,
    sent: u64,
}

impl Outbox {
    /// Output that begins at `offset`.
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            control: VecDeque::new(),
            output: VecDeque::new(),
            received: offset,
            sent: offset,
            acked: offset,
            replay_end: None,
            last: VecDeque::new(),
        }
    }

    /// Queues a control frame ahead of all output.
    pub(crate) fn control(&mut self, frame: &ServerFrame) {
        self.control.push_back(frame.encode());
    }

    /// Queues a frame behind all output: the shell has ended.
    pub(crate) fn last(&mut self, frame: &ServerFrame) {
        self.last.push_back(frame.encode());
    }

    /// Marks output up to `replay.to` as printed before. Call it before that output is queued.
    pub(crate) fn replay(&mut self, replay: Replay) {
        self.control(&ServerFrame::Replay(Replay {
            mark: ReplayMark::Begin,
            ..replay
        }));
        self.replay_end = Some(Replay {
            mark: ReplayMark::End,
            ..replay
        });
    }

    /// Queues output of the leg. Bytes queued before are skipped.
    ///
    /// # Errors
    /// [`OutputGap`] when bytes are missing; the leg has to be opened anew.
    pub(crate) fn push(&mut self, offset: u64, mut bytes: Bytes) -> Result<(), OutputGap> {
        if offset > self.received {
            return Err(OutputGap {
                expected: self.received,
                got: offset,
            });
        }
        let known = usize::try_from(self.received - offset).unwrap_or(usize::MAX);
        if known >= bytes.len() {
            return Ok(());
        }
        bytes.advance(known);
        self.received += length(&bytes);
        self.output.push_back(bytes);
        Ok(())
    }

    /// Notes that the browser has parsed output up to `offset`; says whether that is news.
    ///
    /// # Errors
    /// [`AckBeyondOutput`] when it cannot have.
    pub(crate) fn ack(&mut self, offset: u64) -> Result<bool, AckBeyondOutput> {
        if offset > self.sent {
            return Err(AckBeyondOutput {
                offset,
                sent: self.sent,
            });
        }
        let news = offset > self.acked;
        self.acked = self.acked.max(offset);
        Ok(news)
    }

    /// Offset after the last byte received from the leg: where a new leg continues.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Offset the browser has parsed up to.
    pub(crate) const fn acked(&self) -> u64 {
        self.acked
    }

    /// Where output stands that waits for the browser: to acknowledge, or only to read, which one
    /// that acknowledges without reading does not.
    pub(crate) fn waits_at(&self) -> Option<u64> {
        (!self.output.is_empty()).then_some(self.sent)
    }

    /// Whether [`Outbox::next`] has a frame.
    pub(crate) fn has_next(&self) -> bool {
        !self.control.is_empty()
            || self.replay_end_is_due()
            || (!self.output.is_empty() && self.room() > 0)
            || (self.output.is_empty() && !self.last.is_empty())
    }

    /// Takes the next frame to be sent.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        if self.replay_end_is_due() {
            let mark = self.replay_end.take().expect("an end that is due is there");
            return Some(ServerFrame::Replay(mark).encode());
        }
        if self.output.is_empty() {
            return self.last.pop_front();
        }
        self.next_output()
    }

    /// Whether everything has been sent, the last frames included.
    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.output.is_empty() && self.last.is_empty()
    }

    fn replay_end_is_due(&self) -> bool {
        self.replay_end.is_some_and(|mark| self.sent >= mark.to)
    }

    fn room(&self) -> u64 {
        (self.acked + limits::OUTPUT_WINDOW).saturating_sub(self.sent)
    }

    /// A little output goes as it came; much is joined into bulk frames. No frame crosses the
    /// end of a replay, since the mark has to stand between its bytes.
    fn next_output(&mut self) -> Option<Bytes> {
        let to_mark = self.replay_end.map_or(u64::MAX, |mark| mark.to - self.sent);
        let most = self.room().min(to_mark).min(limits::MAX_OUTPUT as u64);
        let most = usize::try_from(most).expect("at most one frame");
        let first = self.output.front()?.len();
        if most == 0 {
            return None;
        }
        let frame = if first >= most || self.output.len() == 1 {
            let bytes = self.take_from_front(most);
            ServerFrame::encode_output(&bytes)
        } else {
            let mut joined = BytesMut::with_capacity(most);
            while joined.len() < most && !self.output.is_empty() {
                let bytes = self.take_from_front(most - joined.len());
                joined.extend_from_slice(&bytes);
            }
            ServerFrame::encode_output(&joined)
        };
        self.sent += length(&frame) - 1;
        Some(frame)
    }

    fn take_from_front(&mut self, most: usize) -> Bytes {
        let front = self.output.front_mut().expect("the caller looked");
        if front.len() <= most {
            return self.output.pop_front().expect("the caller looked");
        }
        front.split_to(most)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a slice fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(frame: &Bytes) -> Bytes {
        match ServerFrame::decode(frame).unwrap() {
            ServerFrame::Output { bytes } => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn bytes(length: usize) -> Bytes {
        (0..length)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect()
    }

    fn pong(opaque: u64) -> ServerFrame {
        ServerFrame::Pong {
            opaque,
            leg_micros: 0,
        }
    }

    #[test]
    fn control_overtakes_output_and_keeps_its_order() {
        let mut outbox = Outbox::new(0);
        outbox.push(0, bytes(10)).unwrap();
        outbox.control(&pong(1));
        outbox.control(&pong(2));
        assert_eq!(outbox.next(), Some(pong(1).encode()));
        assert_eq!(outbox.next(), Some(pong(2).encode()));
        assert_eq!(output(&outbox.next().unwrap()), bytes(10));
        assert_eq!(outbox.next(), None);
        assert!(outbox.is_empty() && !outbox.has_next());
    }

    #[test]
    fn output_stops_at_the_window_and_goes_on_with_an_acknowledgement() {
        let window = usize::try_from(limits::OUTPUT_WINDOW).unwrap();
        let all = bytes(window + 5);
        let mut outbox = Outbox::new(7);
        outbox.push(7, all.clone()).unwrap();
        let mut got = Vec::new();
        while let Some(frame) = outbox.next() {
            assert!(frame.len() <= 1 + limits::MAX_OUTPUT);
            got.extend(output(&frame));
        }
        assert_eq!(got, all[..window]);
        assert_eq!(outbox.waits_at(), Some(7 + limits::OUTPUT_WINDOW));
        assert!(!outbox.has_next());
        outbox.control(&pong(1));
        assert!(outbox.has_next(), "control does not wait for the window");
        outbox.next().unwrap();
        assert_eq!(outbox.ack(7 + 5), Ok(true));
        assert_eq!(outbox.ack(7 + 5), Ok(false));
        got.extend(output(&outbox.next().unwrap()));
        assert_eq!(got, all);
        assert_eq!(outbox.waits_at(), None);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_refused() {
        let mut outbox = Outbox::new(7);
        outbox.push(7, bytes(10)).unwrap();
        assert!(outbox.ack(8).is_err(), "queued is not sent");
        outbox.next().unwrap();
        assert_eq!(outbox.ack(17), Ok(true));
    }

    #[test]
    fn many_small_pieces_are_joined_into_bulk_frames() {
        let mut outbox = Outbox::new(0);
        for piece in 0..1000 {
            outbox.push(piece * 33, bytes(33)).unwrap();
        }
        let frames: Vec<_> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(frames.len(), 33_000_usize.div_ceil(limits::MAX_OUTPUT));
        let joined: Vec<u8> = frames.iter().flat_map(output).collect();
        assert_eq!(joined, bytes(33).repeat(1000));
    }

    #[test]
    fn what_a_new_leg_repeats_is_skipped_and_a_gap_is_refused() {
        let mut outbox = Outbox::new(100);
        outbox.push(100, Bytes::from_static(b"abc")).unwrap();
        outbox.push(100, Bytes::from_static(b"abc")).unwrap();
        outbox.push(101, Bytes::from_static(b"bcde")).unwrap();
        outbox.push(0, Bytes::from_static(b"long ago")).unwrap();
        assert_eq!(outbox.received(), 105);
        assert!(outbox.push(106, Bytes::from_static(b"x")).is_err());
        assert_eq!(output(&outbox.next().unwrap()).as_ref(), b"abcde");
    }

    #[test]
    fn the_end_of_a_replay_stands_exactly_where_it_belongs() {
        let mut outbox = Outbox::new(0);
        let replay = Replay {
            mark: ReplayMark::Begin,
            from: 0,
            to: 10,
            truncated: true,
        };
        outbox.replay(replay);
        outbox.push(0, bytes(6)).unwrap();
        outbox.push(6, bytes(6)).unwrap();
        let frames: Vec<_> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(frames[0], ServerFrame::Replay(replay).encode());
        assert_eq!(output(&frames[1]).len(), 10);
        let end = Replay {
            mark: ReplayMark::End,
            ..replay
        };
        assert_eq!(frames[2], ServerFrame::Replay(end).encode());
        assert_eq!(output(&frames[3]).len(), 2);
        assert_eq!(frames.len(), 4);
    }

    #[test]
    fn a_replay_of_nothing_ends_at_once() {
        let mut outbox = Outbox::new(9);
        let replay = Replay {
            mark: ReplayMark::Begin,
            from: 9,
            to: 9,
            truncated: true,
        };
        outbox.replay(replay);
        assert_eq!(std::iter::from_fn(|| outbox.next()).count(), 2);
    }

    #[test]
    fn the_last_frame_follows_the_last_byte() {
        let mut outbox = Outbox::new(0);
        outbox.last(&pong(9));
        outbox.push(0, bytes(3)).unwrap();
        assert_eq!(output(&outbox.next().unwrap()).len(), 3);
        assert!(!outbox.is_empty());
        assert_eq!(outbox.next(), Some(pong(9).encode()));
        assert!(outbox.is_empty());
    }
}
