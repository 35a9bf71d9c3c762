//! A recording that runs, and what follows from how far it has come.

use std::time::Duration;

use session_identity::ExamSessionId;
use session_recording::{Place, RecordingPolicy, SpoolFault, Tape};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::freeze::SpoolWatch;
use crate::leg::Recorded;
use crate::tees::RunningTee;

/// How long a connection that is over waits for the last of its recording to be on the disk.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// A recording that runs.
#[derive(Debug, Clone)]
pub(in crate::connection) struct Taped {
    /// What legs are recorded with.
    pub(in crate::connection) recorded: Recorded,
    pub(super) policy: RecordingPolicy,
    /// Nothing while it does not open.
    pub(super) tape: Option<Tape>,
    /// What the spool says.
    pub(super) faults: watch::Receiver<Option<SpoolFault>>,
    pub(super) tee: RunningTee,
}

impl Taped {
    /// What keeps anything from being recorded, where input has to wait for it.
    pub(in crate::connection) fn freezes_on(&self) -> Option<SpoolWatch> {
        let tape = self.tape.as_ref().filter(|_| self.must())?;
        Some(SpoolWatch {
            faults: self.faults.clone(),
            is_full: tape.is_full()?,
        })
    }

    /// Follows how far output survives the end of this process, where it must not be forgotten before.
    pub(in crate::connection) fn written_to(&self) -> Option<watch::Receiver<Place>> {
        let tape = self.tape.as_ref().filter(|_| self.must())?;
        tape.written_to()
    }

    /// Waits until nothing more of the session is kept: its recording is as long as one may be. For ever
    /// where that is never told, and for a tape that opened late: its exam goes on without a record, so what
    /// is left of it passes and its leg ends with the shell.
    pub(in crate::connection) async fn filled(&self) {
        let is_full = self.tape.as_ref().and_then(Tape::is_full);
        if let Some(mut is_full) = is_full
            && is_full.wait_for(|is_full| *is_full).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Waits until the session's next terminal is here.
    pub(in crate::connection) async fn succeeded(&self) {
        self.tee.succeeded().await;
    }

    fn must(&self) -> bool {
        self.policy == RecordingPolicy::FailClosed
    }

    /// Says that the terminal is over: its tee ends, as soon as its leg has.
    pub(in crate::connection) fn leave(self) -> Left {
        Left(self.tee)
    }
}

/// A recording whose last words are on their way.
#[derive(Debug)]
pub(in crate::connection) struct Left(RunningTee);

impl Left {
    /// Waits, for a while, until the last that the terminal showed is on the disk.
    pub(in crate::connection) async fn finish(self, session_id: ExamSessionId) {
        if timeout(FINISH_WITHIN, self.0.ended()).await.is_err() {
            tracing::warn!(session.id = %session_id,
                "the end of a terminal was not on the disk in time; it follows when the spool takes it");
        }
    }
}

/// How far one shell's output is written.
pub(in crate::connection) const fn written_in(place: Place, shell_epoch: u32) -> u64 {
    if place.shell_epoch == shell_epoch {
        place.offset
    } else {
        0
    }
}

/// Waits until the record has grown; says whether it can grow further.
pub(in crate::connection) async fn next_place(
    written_to: &mut Option<watch::Receiver<Place>>,
) -> bool {
    match written_to {
        Some(written_to) => written_to.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
