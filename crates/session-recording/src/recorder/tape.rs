//! What a terminal says to its recorder.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use session_identity::ExamSessionId;
use tokio::sync::{oneshot, watch};

use super::deck::Deck;
use super::reel::Event;
use super::room::{PIECE, SMALL, Taken};
use crate::entry::{Entry, ExitStatus, GapReason, Marker, WindowSize};
use crate::place::Place;
use crate::policy::RecordingPolicy;
use crate::spool::SpoolFault;

/// Which terminal is to be recorded, and how.
#[derive(Debug, Clone, Copy)]
pub struct SessionTape {
    /// The session.
    pub session_id: ExamSessionId,
    /// Which shell of it, from 1.
    pub shell_epoch: u32,
    /// What the exam wants.
    pub policy: RecordingPolicy,
    /// Whether what is typed is kept too. It holds passwords.
    pub records_input: bool,
    /// The size of the window now.
    pub size: WindowSize,
}

/// Why something is not on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    /// The spool takes nothing. Nothing of what was said is recorded; say it again once it does, or go
    /// on: what is missing then becomes a gap.
    #[error("the spool takes nothing")]
    Spool(#[source] SpoolFault),
    /// The session's recording is as long as one may be.
    #[error("the recording of session {session_id} has all of the {limit} bytes that one may have")]
    Full {
        /// The session.
        session_id: ExamSessionId,
        /// What it may have.
        limit: u64,
    },
    /// A later shell of the session has a tape: this terminal is not the session's any more.
    #[error("shell {shell_epoch} of session {session_id} has been followed by another")]
    Superseded {
        /// The session.
        session_id: ExamSessionId,
        /// The shell of this tape.
        shell_epoch: u32,
    },
    /// The process is ending.
    #[error("the recorder has stopped")]
    Stopped,
}

/// One terminal's way to its recorder. Cheap to clone; every clone is the same tape.
#[derive(Debug, Clone)]
pub struct Tape {
    shell_epoch: u32,
    /// Nothing where the policy is off.
    deck: Option<Arc<Deck>>,
}

impl Tape {
    /// A tape that keeps nothing, for an exam that wants nothing kept.
    pub const fn off() -> Self {
        Self {
            shell_epoch: 0,
            deck: None,
        }
    }

    pub(super) const fn new(shell_epoch: u32, deck: Arc<Deck>) -> Self {
        Self {
            shell_epoch,
            deck: Some(deck),
        }
    }

    /// Whether anything is kept.
    pub const fn is_recording(&self) -> bool {
        self.deck.is_some()
    }

    /// How far the session's output is on record and survives a crash, here or in the database. A leg
    /// that is opened anew asks the keeper from here, if it is still the same shell; nothing where
    /// nothing is kept.
    pub fn recorded_to(&self) -> Option<Place> {
        let deck = self.deck.as_ref()?;
        Some(*deck.track.recorded_to.borrow())
    }

    /// Follows how far the session's output is written: it survives the end of this process, though not
    /// yet that of the machine. Nothing where nothing is kept.
    pub fn written_to(&self) -> Option<watch::Receiver<Place>> {
        let deck = self.deck.as_ref()?;
        Some(deck.track.written_to.subscribe())
    }

    /// Records output at its offset since the shell began. What is on record already is skipped; where
    /// bytes are missing before it, a gap is recorded first. Waits while more than 1 MiB of the session
    /// waits to be written, and drops nothing.
    ///
    /// # Cancellation
    /// What had been taken stays; saying all of it again is right.
    ///
    /// # Errors
    /// [`TapeError`]; then the rest of the bytes is not on record. [`TapeError::Full`] stays.
    pub async fn output(&self, offset: u64, mut bytes: Bytes) -> Result<(), TapeError> {
        let Some(deck) = &self.deck else {
            return Ok(());
        };
        let mut offset = offset;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            let length = piece.len();
            let room = self.bytes_room(deck, length).await.inspect_err(|_| {
                self.note_unrecorded(offset + (length + bytes.len()) as u64);
            })?;
            let reason = match deck.refusals.take() {
                Some(_) => GapReason::Unrecorded,
                None => GapReason::Missed,
            };
            deck.send(Event::Output(self.at(offset), piece, reason), Some(room))?;
            offset += length as u64;
        }
        Ok(())
    }

    /// Says that output up to an offset was shown and is not on record. It becomes a gap before the next
    /// output, or at the end of a recording that its exam goes on without.
    pub fn note_unrecorded(&self, offset: u64) {
        if let Some(deck) = &self.deck {
            deck.refusals.note(self.at(offset));
        }
    }

    const fn at(&self, offset: u64) -> Place {
        Place {
            shell_epoch: self.shell_epoch,
            offset,
        }
    }

    /// Follows whether the session's recording is as long as one may be. Nothing where nothing is kept.
    pub fn is_full(&self) -> Option<watch::Receiver<bool>> {
        let deck = self.deck.as_ref()?;
        Some(deck.track.ceiling.is_reached())
    }

    /// Records what was typed, if the exam wants that.
    ///
    /// # Errors
    /// As for [`Tape::output`].
    pub async fn input(&self, mut bytes: Bytes) -> Result<(), TapeError> {
        let Some(deck) = self.deck.as_ref().filter(|deck| deck.records_input) else {
            return Ok(());
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            let room = self.bytes_room(deck, piece.len()).await?;
            deck.send(Event::Input(self.shell_epoch, piece), Some(room))?;
        }
        Ok(())
    }

    /// Records that the window has another size.
    ///
    /// # Errors
    /// As for [`Tape::output`], but a spool that takes nothing refuses it only when the queue is full.
    pub async fn resize(&self, size: WindowSize) -> Result<(), TapeError> {
        self.entry(Entry::Resize(size)).await
    }

    /// Records something about the terminal.
    ///
    /// # Errors
    /// As for [`Tape::resize`].
    pub async fn mark(&self, marker: Marker) -> Result<(), TapeError> {
        self.entry(Entry::Marker(marker)).await
    }

    /// Records that the shell ended.
    ///
    /// # Errors
    /// As for [`Tape::resize`].
    pub async fn exit(&self, status: ExitStatus) -> Result<(), TapeError> {
        self.entry(Entry::Exit(status)).await
    }

    async fn entry(&self, entry: Entry) -> Result<(), TapeError> {
        let Some(deck) = &self.deck else {
            return Ok(());
        };
        self.is_current(deck)?;
        let room = deck.room(SMALL).await?;
        // Another shell may have begun meanwhile.
        self.is_current(deck)?;
        deck.send(Event::Entry(self.shell_epoch, entry), Some(room))
    }

    /// Waits until everything said before is durable, and ends this tape; its clones go on.
    ///
    /// # Cancellation
    /// What was said is written all the same.
    ///
    /// # Errors
    /// [`TapeError::Spool`] while the spool takes nothing: what was said waits and is tried again.
    pub async fn close(self) -> Result<(), TapeError> {
        let Some(deck) = &self.deck else {
            return Ok(());
        };
        let (done, flushed) = oneshot::channel();
        deck.send(Event::Flush(done), None)?;
        tokio::select! {
            biased;
            flushed = flushed => flushed.map_err(|_| TapeError::Stopped),
            fault = deck.refusal() => Err(TapeError::Spool(fault)),
        }
    }

    async fn bytes_room(&self, deck: &Deck, length: usize) -> Result<Taken, TapeError> {
        self.is_current(deck)?;
        if let Some(fault) = deck.fault.borrow().clone() {
            return Err(TapeError::Spool(fault));
        }
        deck.under_ceiling(self.shell_epoch)?;
        let length = u32::try_from(length).expect("a piece has at most 64 KiB");
        let room = deck.room(length).await?;
        // Another shell may have begun meanwhile.
        self.is_current(deck)?;
        Ok(room)
    }

    fn is_current(&self, deck: &Deck) -> Result<(), TapeError> {
        if deck.shell_epoch.load(Ordering::Relaxed) > self.shell_epoch {
            return Err(TapeError::Superseded {
                session_id: deck.track.session_id,
                shell_epoch: self.shell_epoch,
            });
        }
        Ok(())
    }
}
