//! Opening a tape.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use session_identity::ExamSessionId;
use sqlx::PgPool;
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::clock::Clock;
use super::deck::Deck;
use super::reel::{Event, Message, Reel, Times};
use super::room::Room;
use super::spooler::Spooler;
use super::tape::{SessionTape, Tape};
use super::track::{Track, Turn, locked};
use super::{Recorder, Shared};
use crate::draft::Draft;
use crate::entry::Entry;
use crate::place::Place;
use crate::policy::RecordingPolicy;
use crate::spool::SpoolFault;
use crate::store::{OpenedRecording, load_recorded_to, open_recording};

/// Why a terminal cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum OpenTapeError {
    /// The database did not answer.
    #[error("open the recording of session {session_id}")]
    Database {
        /// The session.
        session_id: ExamSessionId,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The spool has little room left, and the exam takes place only where everything is kept.
    #[error("keep enough room for another recording: the spool holds {used} of {limit} bytes")]
    NearlyFull {
        /// Bytes in it.
        used: u64,
        /// Bytes it may have.
        limit: u64,
    },
    /// The spool takes nothing.
    #[error("keep anything")]
    Spool(#[source] SpoolFault),
    /// A later shell of the session is on record.
    #[error("record shell {shell_epoch} of session {session_id}: shell {recorded} is on record")]
    Superseded {
        /// The session.
        session_id: ExamSessionId,
        /// The shell asked for.
        shell_epoch: u32,
        /// The newest on record.
        recorded: u32,
    },
    /// The process is ending.
    #[error("record anything: the recorder has stopped")]
    Stopped,
}

impl Recorder {
    /// How far a session's output is on record and survives a crash: here, in what dead processes left
    /// here, or in the database. Whoever opens the keeper's stream asks for output from here, if it is
    /// still the same shell.
    ///
    /// # Errors
    /// [`OpenTapeError::Database`].
    pub async fn recorded_to(
        &self,
        session_id: ExamSessionId,
    ) -> Result<Option<Place>, OpenTapeError> {
        let here = *self.shared.track(session_id).recorded_to.borrow();
        let read = async {
            let mut conn = self.shared.pool.acquire().await?;
            load_recorded_to(&mut conn, session_id).await
        };
        let shipped = read.await;
        let shipped = shipped.map_err(|source| OpenTapeError::Database { session_id, source })?;
        let place = shipped.unwrap_or_default().max(here);
        Ok((place > Place::default()).then_some(place))
    }

    /// Begins to record a terminal, or goes on: a shell that is on record already goes on where its
    /// record ends, and all tapes of one session write one recording.
    ///
    /// # Errors
    /// [`OpenTapeError`]; an exam that must be recorded does not go on then.
    pub async fn tape(&self, wanted: SessionTape) -> Result<Tape, OpenTapeError> {
        if wanted.policy == RecordingPolicy::Off {
            return Ok(Tape::off());
        }
        let shared = &self.shared;
        shared.admit(wanted.policy)?;
        let opened = open(&shared.pool, &wanted).await?;
        let track = shared.track(wanted.session_id);
        let deck = shared.deck(&track, &wanted, &opened).await?;
        let place = begin(&deck, &wanted, opened.recorded_to)?;
        for event in [
            Event::Begin(place),
            Event::Entry(wanted.shell_epoch, Entry::Resize(wanted.size)),
        ] {
            deck.send(event, None).map_err(|_| OpenTapeError::Stopped)?;
        }
        Ok(Tape::new(wanted.shell_epoch, deck))
    }
}

async fn open(pool: &PgPool, wanted: &SessionTape) -> Result<OpenedRecording, OpenTapeError> {
    let session_id = wanted.session_id;
    let insert = async {
        let mut conn = pool.acquire().await?;
        open_recording(&mut conn, session_id, wanted.policy, wanted.records_input).await
    };
    let opened = insert.await;
    opened.map_err(|source| OpenTapeError::Database { session_id, source })
}

/// Finds where this shell's output goes on, and makes it the session's newest.
fn begin(deck: &Deck, wanted: &SessionTape, shipped: Place) -> Result<Place, OpenTapeError> {
    let recorded = shipped.max(*deck.track.recorded_to.borrow());
    let newest = deck
        .shell_epoch
        .fetch_max(wanted.shell_epoch, Ordering::Relaxed);
    let newest = newest.max(recorded.shell_epoch);
    if newest > wanted.shell_epoch {
        return Err(OpenTapeError::Superseded {
            session_id: wanted.session_id,
            shell_epoch: wanted.shell_epoch,
            recorded: newest,
        });
    }
    deck.track.note_recorded(recorded);
    let first = Place {
        shell_epoch: wanted.shell_epoch,
        offset: 0,
    };
    Ok(recorded.max(first))
}

impl Shared {
    fn admit(&self, policy: RecordingPolicy) -> Result<(), OpenTapeError> {
        if self.stopped.is_cancelled() {
            return Err(OpenTapeError::Stopped);
        }
        if let Some(fault) = self.fault.borrow().clone() {
            return Err(OpenTapeError::Spool(fault));
        }
        let usage = self.spool.usage();
        if policy == RecordingPolicy::FailClosed && usage.is_nearly_full() {
            return Err(OpenTapeError::NearlyFull {
                used: usage.used(),
                limit: usage.limit(),
            });
        }
        Ok(())
    }

    /// Finds the task that writes a session's recording, or starts it once the one before has written
    /// its last.
    async fn deck(
        &self,
        track: &Arc<Track>,
        wanted: &SessionTape,
        opened: &OpenedRecording,
    ) -> Result<Arc<Deck>, OpenTapeError> {
        // Whoever waits for the turn of a task that ends must not meet one that has just begun.
        let _opening = track.opening.lock().await;
        if let Some(deck) = locked(&track.deck).upgrade() {
            return Ok(deck);
        }
        track.ceiling.note_stored(opened.raw_bytes);
        let turn = self.turn(track).await?;
        let (messages, receiver) = mpsc::unbounded_channel::<Message>();
        let deck = Arc::new(Deck {
            track: Arc::clone(track),
            messages,
            room: Room::new(Arc::clone(&self.queue)),
            clock: Clock::from_database(opened.now, opened.read_at),
            fault: self.fault.subscribe(),
            stopped: self.stopped.clone(),
            records_input: wanted.records_input,
            shell_epoch: AtomicU32::new(turn.place.shell_epoch),
            refusals: Arc::default(),
        });
        *locked(&track.deck) = Arc::downgrade(&deck);
        let reel = self.reel(&deck, turn, wanted.policy);
        self.tasks.spawn_on(reel.run(receiver), &self.runtime);
        Ok(deck)
    }

    fn reel(&self, deck: &Deck, turn: OwnedMutexGuard<Turn>, policy: RecordingPolicy) -> Reel {
        Reel {
            track: Arc::clone(&deck.track),
            clock: deck.clock,
            refusals: (policy == RecordingPolicy::FailOpen).then(|| Arc::clone(&deck.refusals)),
            writer: self.writer,
            spooler: Spooler {
                track: Arc::clone(&deck.track),
                disk: self.disk.clone(),
                fault: self.fault.clone(),
                failing: Arc::clone(&self.failing),
                given_up: self.given_up.clone(),
            },
            stopped: self.stopped.clone(),
            draft: Draft::new(turn.place),
            under_way: None,
            turn,
            times: Times::default(),
            is_whole: true,
        }
    }

    async fn turn(&self, track: &Track) -> Result<OwnedMutexGuard<Turn>, OpenTapeError> {
        let mut fault = self.fault.subscribe();
        tokio::select! {
            biased;
            turn = Arc::clone(&track.turn).lock_owned() => Ok(turn),
            () = self.stopped.cancelled() => Err(OpenTapeError::Stopped),
            told = fault.wait_for(Option::is_some) => {
                let told = told.ok().and_then(|fault| fault.clone());
                Err(told.map_or(OpenTapeError::Stopped, OpenTapeError::Spool))
            }
        }
    }
}
