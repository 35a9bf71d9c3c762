//! What a process knows of one session's recording.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use session_identity::ExamSessionId;
use tokio::sync::watch;

use super::ceiling::Ceiling;
use super::deck::Deck;
use crate::place::Place;
use crate::spool::{Roll, Writer};

/// One session in one process. It stays for the life of the process: the count of segments must not
/// begin again.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) session_id: ExamSessionId,
    /// Held while a tape is opened.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// Held by the task that writes, of which there is one at a time.
    pub(super) turn: Arc<tokio::sync::Mutex<Turn>>,
    /// What waits for the database.
    pub(super) roll: Arc<Roll>,
    /// Locked on the disk's threads only.
    pub(super) writer: Arc<Mutex<Writer>>,
    /// What survives the machine's end.
    pub(super) recorded_to: watch::Sender<Place>,
    /// What survives this process's end; never less.
    pub(super) written_to: watch::Sender<Place>,
    pub(super) ceiling: Ceiling,
    /// The tapes that are open.
    pub(super) deck: Mutex<Weak<Deck>>,
}

/// Where the next segment of a session begins.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) place: Place,
    pub(super) next_seq: u64,
}

impl Track {
    pub(super) fn new(roll: Roll, ceiling: Ceiling) -> Self {
        let roll = Arc::new(roll);
        Self {
            session_id: roll.session_id(),
            opening: tokio::sync::Mutex::default(),
            turn: Arc::default(),
            writer: Arc::new(Mutex::new(Writer::new(Arc::clone(&roll)))),
            roll,
            recorded_to: watch::Sender::new(Place::default()),
            written_to: watch::Sender::new(Place::default()),
            ceiling,
            deck: Mutex::new(Weak::new()),
        }
    }

    /// Notes that everything before `place` is durable.
    pub(super) fn note_recorded(&self, place: Place) {
        advance(&self.recorded_to, place);
        self.note_written(place);
    }

    /// Notes that everything before `place` is with the kernel.
    pub(super) fn note_written(&self, place: Place) {
        advance(&self.written_to, place);
    }
}

/// Tells a later place, and no earlier one.
fn advance(known: &watch::Sender<Place>, place: Place) {
    known.send_if_modified(|known| {
        let later = place > *known;
        *known = place.max(*known);
        later
    });
}

/// Locks what stays right even if a holder panicked: every change to it is one step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
