//! From the keeper: bytes as they are read, frames as they become whole, events as they are told.

use std::time::Duration;

use bytes::BytesMut;
use carrel_keeper::{Decoder, KeeperFrame};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::leg::{LegEnd, LegEvent};

/// Room for one read while the shell is quiet, and while it prints much, in bytes.
const QUIET_READ: usize = 4 * 1024;
const BULK_READ: usize = 64 * 1024;

/// What has come from the keeper and is not told yet.
#[derive(Debug)]
pub(super) struct Incoming {
    decoder: Decoder<KeeperFrame>,
    read_size: usize,
    /// An event that waits for room in the channel.
    untold: Option<LegEvent>,
    began: Instant,
    heard_at: Instant,
}

impl Incoming {
    /// Pings carry the time since `began`.
    pub(super) fn new(began: Instant) -> Self {
        Self {
            decoder: Decoder::new(),
            read_size: QUIET_READ,
            untold: None,
            began,
            heard_at: began,
        }
    }

    /// Whether an event waits for room; nothing more is read meanwhile.
    pub(super) const fn waits(&self) -> bool {
        self.untold.is_some()
    }

    /// Where the stream is read to.
    pub(super) fn buffer_mut(&mut self) -> &mut BytesMut {
        self.decoder.buffer_mut()
    }

    /// For how long not a byte has come.
    pub(super) fn silent_for(&self) -> Duration {
        self.heard_at.elapsed()
    }

    /// Notes a read of so many bytes.
    pub(super) fn read(&mut self, count: usize) {
        self.heard_at = Instant::now();
        // A quiet shell keeps a small buffer, a printing one reads in large pieces.
        self.read_size = if count >= QUIET_READ {
            BULK_READ
        } else {
            QUIET_READ
        };
    }

    /// Tells every frame that is here, as far as there is room.
    pub(super) fn tell_on(&mut self, events: &mpsc::Sender<LegEvent>) -> Result<(), LegEnd> {
        loop {
            self.next_event()?;
            if self.untold.is_none() {
                return Ok(());
            }
            // Full, or nobody listens any more: the select learns which.
            let Ok(room) = events.try_reserve() else {
                return Ok(());
            };
            self.tell(Ok(room))?;
        }
    }

    pub(super) fn tell(
        &mut self,
        room: Result<mpsc::Permit<'_, LegEvent>, mpsc::error::SendError<()>>,
    ) -> Result<(), LegEnd> {
        let (Ok(room), Some(event)) = (room, self.untold.take()) else {
            return Err(LegEnd::Cut);
        };
        room.send(event);
        Ok(())
    }

    /// Turns the next buffered frame into an event, if none waits already.
    fn next_event(&mut self) -> Result<(), LegEnd> {
        while self.untold.is_none() {
            let frame = self.decoder.next_frame();
            let Some(frame) = frame.map_err(|_| LegEnd::Lost("the keeper sent no frame"))? else {
                self.make_room();
                return Ok(());
            };
            self.untold = Some(match frame {
                KeeperFrame::Opened(opened) => LegEvent::Opened(opened),
                KeeperFrame::Output { off, bytes } => LegEvent::Output { offset: off, bytes },
                KeeperFrame::InputAck { in_off } => LegEvent::InputAck(in_off),
                KeeperFrame::Pong { token } => LegEvent::RoundTrip(self.since(token)),
                KeeperFrame::Exit(exit) => return Err(LegEnd::Exit(exit)),
                KeeperFrame::Superseded(superseded) => {
                    let by = Some(superseded.epoch);
                    return Err(LegEnd::Superseded { by });
                }
                KeeperFrame::Refused(refused) => return Err(LegEnd::Refused(refused)),
            });
        }
        Ok(())
    }

    /// Room for the next read. What a flood needed is given back once the shell is quiet.
    fn make_room(&mut self) {
        let buffer = self.decoder.buffer_mut();
        if buffer.is_empty() && self.read_size == QUIET_READ && buffer.capacity() > BULK_READ / 2 {
            *buffer = BytesMut::new();
        }
        buffer.reserve(self.read_size);
    }

    fn since(&self, token: u64) -> Duration {
        self.began
            .elapsed()
            .saturating_sub(Duration::from_micros(token))
    }
}
