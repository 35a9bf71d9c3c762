//! What waits to go to the browser: control frames first, output within its window.

mod coalescing;
mod window;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use environment_access::wire::{Replay, ReplayMark, ServerFrame};

use self::coalescing::Coalescing;
use self::window::{AckBeyondOutput, OutputGap, OutputWindow};
use super::outlet::Message;

/// Two queues: control frames, which never wait for output, and output, which waits for credit; and the
/// newest acknowledgement of input, since an older one says nothing more.
#[derive(Debug)]
pub(crate) struct Outbox {
    control: VecDeque<Bytes>,
    input_ack: Option<Bytes>,
    output: OutputWindow,
    coalescing: Coalescing,
    /// The end mark of a replay, due when output gets there.
    replay_end: Option<Replay>,
    /// Frames due when all output is sent.
    last: VecDeque<Bytes>,
}

impl Outbox {
    /// Output that begins at `offset`.
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            control: VecDeque::new(),
            input_ack: None,
            output: OutputWindow::new(offset),
            coalescing: Coalescing::default(),
            replay_end: None,
            last: VecDeque::new(),
        }
    }

    /// Queues a control frame ahead of all output.
    pub(crate) fn control(&mut self, frame: &ServerFrame) {
        self.control.push_back(frame.encode());
    }

    /// Has input acknowledged behind the control frames; an acknowledgement that waits is replaced, so that
    /// whoever types and does not read lets nothing pile up.
    pub(crate) fn input_ack(&mut self, frame: &ServerFrame) {
        self.input_ack = Some(frame.encode());
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
    pub(crate) fn push(&mut self, offset: u64, bytes: Bytes) -> Result<(), OutputGap> {
        self.output.push(offset, bytes)
    }

    /// Notes that the browser has parsed output up to `offset`; says whether that is news.
    ///
    /// # Errors
    /// [`AckBeyondOutput`] when it cannot have.
    pub(crate) fn ack(&mut self, offset: u64) -> Result<bool, AckBeyondOutput> {
        self.output.ack(offset)
    }

    /// Offset after the last byte received from the leg: where a new leg continues.
    pub(crate) const fn received(&self) -> u64 {
        self.output.received()
    }

    /// Offset the browser has parsed up to.
    pub(crate) const fn acked(&self) -> u64 {
        self.output.acked()
    }

    /// Where output stands that waits for the browser: to acknowledge, or only to read, which one
    /// that acknowledges without reading does not.
    pub(crate) fn waits_at(&self) -> Option<u64> {
        (!self.output.is_empty()).then_some(self.output.sent())
    }

    /// Bytes sent and not parsed yet.
    pub(crate) fn unacked(&self) -> u64 {
        self.output.sent() - self.output.acked()
    }

    /// Whether output waits for the browser to acknowledge, and for nothing else.
    pub(crate) fn is_stalled(&self) -> bool {
        !self.output.is_empty() && self.output.room(u64::MAX) == 0
    }

    /// Whether [`Outbox::next`] has a frame.
    pub(crate) fn has_next(&self, now: Instant) -> bool {
        !self.control.is_empty()
            || self.input_ack.is_some()
            || self.replay_end_is_due()
            || (self.output.is_empty() && !self.last.is_empty())
            || (self.has_output() && self.held_until(now).is_none())
    }

    /// Until when output waits for more of it, if that is all it waits for.
    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        let more_may_come = self.replay_end.is_none() && self.last.is_empty();
        let is_short = self.output.waiting() < self.room() as u64;
        if self.has_output() && is_short && more_may_come {
            self.coalescing.holds_until(now)
        } else {
            None
        }
    }

    /// Takes the next frame to be sent.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Message> {
        let ahead = self.control.pop_front().or_else(|| self.input_ack.take());
        if ahead.is_some() {
            return ahead.map(Message::frame);
        }
        if self.replay_end_is_due() {
            let mark = self.replay_end.take().expect("an end that is due is there");
            return Some(Message::frame(ServerFrame::Replay(mark).encode()));
        }
        if self.output.is_empty() {
            return self.last.pop_front().map(Message::frame);
        }
        if !self.has_output() || self.held_until(now).is_some() {
            return None;
        }
        let bytes = self.output.take(self.room())?;
        self.coalescing.sent(bytes.len(), now);
        Some(Message::output(bytes))
    }

    /// Whether everything has been sent, the last frames included.
    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty()
            && self.input_ack.is_none()
            && self.output.is_empty()
            && self.last.is_empty()
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty() && self.room() > 0
    }

    fn replay_end_is_due(&self) -> bool {
        self.replay_end
            .is_some_and(|mark| self.output.sent() >= mark.to)
    }

    /// Bytes that the next frame may have. None crosses the end of a replay, since the mark has to
    /// stand between its bytes.
    fn room(&self) -> usize {
        let end = self.replay_end.map_or(u64::MAX, |mark| mark.to);
        self.output.room(end)
    }
}

#[cfg(test)]
mod tests;
