//! What the tapes of one session have in common, and their way to the task that writes.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::reel::{Event, Message};
use super::refusals::Refusals;
use super::room::{Room, Taken};
use super::tape::TapeError;
use super::track::Track;
use crate::entry::{Entry, Marker};
use crate::spool::SpoolFault;

/// What all tapes of a session share while any is open.
#[derive(Debug)]
pub(super) struct Deck {
    pub(super) track: Arc<Track>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) room: Room,
    pub(super) clock: Clock,
    pub(super) fault: watch::Receiver<Option<SpoolFault>>,
    pub(super) stopped: CancellationToken,
    pub(super) records_input: bool,
    /// The newest shell that has a tape.
    pub(super) shell_epoch: AtomicU32,
    /// Output that was refused since the last that was taken.
    pub(super) refusals: Arc<Refusals>,
}

impl Deck {
    /// Hands something to the task that writes.
    pub(super) fn send(&self, event: Event, room: Option<Taken>) -> Result<(), TapeError> {
        if self.stopped.is_cancelled() {
            return Err(TapeError::Stopped);
        }
        let message = Message {
            at_micros: self.clock.now_micros(),
            event,
            _room: room,
        };
        self.messages.send(message).map_err(|_| TapeError::Stopped)
    }

    /// Says once on record that nothing more is kept.
    pub(super) fn under_ceiling(&self, shell_epoch: u32) -> Result<(), TapeError> {
        let ceiling = &self.track.ceiling;
        if ceiling.has_room() {
            return Ok(());
        }
        let (session_id, limit) = (self.track.session_id, ceiling.limit());
        if ceiling.reach() {
            tracing::error!(session.id = %session_id, limit,
                "a recording is as long as one may be: nothing more of its session is kept");
            self.send(Event::Entry(shell_epoch, Entry::Marker(Marker::Full)), None)?;
        }
        Err(TapeError::Full { session_id, limit })
    }

    /// Waits for room, unless the spool takes nothing: then there would be none for long.
    pub(super) async fn room(&self, bytes: u32) -> Result<Taken, TapeError> {
        tokio::select! {
            biased;
            room = self.room.take(bytes) => room.map_err(|_| TapeError::Stopped),
            () = self.stopped.cancelled() => Err(TapeError::Stopped),
            fault = self.refusal() => Err(TapeError::Spool(fault)),
        }
    }

    /// Waits until the spool takes nothing.
    pub(super) async fn refusal(&self) -> SpoolFault {
        let mut fault = self.fault.clone();
        let refused = fault.wait_for(Option::is_some).await;
        let refused = refused.ok().and_then(|fault| fault.clone());
        match refused {
            Some(fault) => fault,
            // The recorder is gone, and the other arms say so.
            None => std::future::pending().await,
        }
    }
}
