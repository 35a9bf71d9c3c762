//! Keeping what an exam wants kept of a terminal, from its first byte to its last.

mod taped;

use std::cmp::Ordering;
use std::time::Duration;

use carrel_keeper::frames::{Opened, Resume};
use environment_access::wire::CloseCode;
use execution_environment::Recording;
use orchestrator::WantedRecording;
use session_identity::ExamSessionId;
use session_recording::{
    Marker, OpenTapeError, Place, Recorder, RecordingPolicy, SessionTape, Tape,
};
use tokio::sync::oneshot;
use tokio::time::sleep;

pub(super) use taped::{Left, Taped, next_place, written_in};

use super::forgotten::count_lost;
use crate::leg::{Reach, Tee, window};
use crate::screen_size::ScreenSize;
use crate::state::GatewayState;
use crate::tees::Tees;

/// A tape that did not open is tried again after so long, twice that after the next failure…
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// …and at most after so long.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What the exam of a session wants kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordingTerms {
    /// Whether, and what comes first when it fails.
    pub(crate) policy: RecordingPolicy,
    /// Whether what is typed is kept too.
    pub(crate) records_input: bool,
}

impl RecordingTerms {
    /// What an exam's definition says, in the recorder's words.
    pub(crate) const fn of(wanted: WantedRecording) -> Self {
        let policy = match wanted.recording {
            Recording::Off => RecordingPolicy::Off,
            Recording::FailOpen => RecordingPolicy::FailOpen,
            Recording::FailClosed => RecordingPolicy::FailClosed,
        };
        Self {
            policy,
            records_input: wanted.record_input,
        }
    }
}

/// A recording about to begin or to go on: the leg is not open yet.
#[derive(Debug)]
pub(super) struct Prepared {
    recorder: Recorder,
    tees: Tees,
    session_id: ExamSessionId,
    terms: RecordingTerms,
    /// How far the session is on record.
    recorded_to: Option<Place>,
}

/// Looks how far a session is on record; nothing where its exam wants nothing kept, or goes on without.
///
/// # Errors
/// [`CloseCode::Overloaded`], after which the page tries again, where the exam must be recorded and
/// cannot be.
pub(super) async fn prepare(
    state: &GatewayState,
    session_id: ExamSessionId,
    terms: RecordingTerms,
) -> Result<Option<Prepared>, CloseCode> {
    if terms.policy == RecordingPolicy::Off {
        return Ok(None);
    }
    let Some(recorder) = state.recorder.clone() else {
        let why = "no spool is given (--recording-spool, CARREL_RECORDING_SPOOL)";
        return without(session_id, terms.policy, &why);
    };
    let recorded_to = match recorder.recorded_to(session_id).await {
        Ok(recorded_to) => recorded_to,
        // A tape that opens later begins where it can.
        Err(error) => without(session_id, terms.policy, &error)?,
    };
    Ok(Some(Prepared {
        recorder,
        tees: state.tees.clone(),
        session_id,
        terms,
        recorded_to,
    }))
}

/// What the policy says about a terminal that cannot be recorded.
fn without<T>(
    session_id: ExamSessionId,
    policy: RecordingPolicy,
    why: &dyn std::fmt::Display,
) -> Result<Option<T>, CloseCode> {
    tracing::error!(session.id = %session_id, policy = policy.as_str(), error = %why,
        "a terminal cannot be recorded");
    match policy {
        RecordingPolicy::FailClosed => Err(CloseCode::Overloaded),
        RecordingPolicy::FailOpen | RecordingPolicy::Off => Ok(None),
    }
}

impl Prepared {
    /// From where the keeper is asked for output: whatever is missing to either the browser or the
    /// record.
    pub(super) fn resume(&self, browser: Option<Resume>) -> Option<Resume> {
        browser.map(|browser| earlier(browser, self.recorded_to.unwrap_or_default()))
    }

    /// The same where no browser is there, but may come back for what it asked for. A shell that is on
    /// record is always named: the keeper starts another one for whoever resumes none that has ended.
    pub(super) fn resume_unattended(&self, browser: Option<Resume>) -> Option<Resume> {
        let recorded = self.recorded_to.map(|place| Resume {
            shell_epoch: place.shell_epoch,
            out_off: place.offset,
        });
        let is_known = |it: &Resume| recorded.is_none_or(|at| at.shell_epoch == it.shell_epoch);
        self.resume(browser.filter(is_known)).or(recorded)
    }

    /// From where the keeper is asked for the shell that another process has read: the one it knew, or a
    /// later one that is on record.
    pub(super) fn resume_read(&self, shell_epoch: u32) -> Option<Resume> {
        let known = Place {
            shell_epoch,
            offset: 0,
        };
        let place = self.recorded_to.unwrap_or_default().max(known);
        (place.shell_epoch > 0).then_some(Resume {
            shell_epoch: place.shell_epoch,
            out_off: place.offset,
        })
    }

    /// Begins, or goes on, once the keeper has said which shell it is; `marker` is who came, if anybody did.
    ///
    /// # Errors
    /// As [`prepare`].
    pub(super) async fn begin(
        self,
        opened: &Opened,
        size: ScreenSize,
        marker: Option<Marker>,
    ) -> Result<Option<Taped>, CloseCode> {
        self.tees.await_last(self.session_id).await;
        self.count_lost(opened).await;
        let wanted = SessionTape {
            session_id: self.session_id,
            shell_epoch: opened.shell_epoch,
            policy: self.terms.policy,
            records_input: self.terms.records_input,
            size: window(size),
        };
        let tape = match start(&self.recorder, wanted, marker).await {
            Ok(tape) => Some(tape),
            // A later shell has the terminal: the newer attach is on its way here, or at work elsewhere.
            Err(Unrecorded::Tape(OpenTapeError::Superseded { .. })) => {
                return Err(CloseCode::Superseded);
            }
            Err(error) => without(self.session_id, self.terms.policy, &error)?,
        };
        let reach = match tape.clone() {
            Some(tape) => Reach::Open(tape),
            None => Reach::Late(self.try_again(wanted, marker)),
        };
        let (tee, recorded) = Tee::new(reach, self.terms.policy, size);
        Ok(Some(Taped {
            recorded,
            policy: self.terms.policy,
            tape,
            faults: self.recorder.faults(),
            tee: self.tees.spawn(self.session_id, tee.run()),
        }))
    }

    /// Counts what the record lacks. Whoever had the shell before may have recorded on since it was
    /// looked at.
    async fn count_lost(&self, opened: &Opened) {
        let lacks = |place: Option<Place>| {
            let written = written_in(place.unwrap_or_default(), opened.shell_epoch);
            opened.replay_from.saturating_sub(written)
        };
        if lacks(self.recorded_to) > 0 {
            let now = self.recorder.recorded_to(self.session_id).await;
            count_lost("record", lacks(self.recorded_to.max(now.ok().flatten())));
        }
    }

    /// Opens the tape as soon as it can be, while anybody waits for it.
    fn try_again(&self, wanted: SessionTape, marker: Option<Marker>) -> oneshot::Receiver<Tape> {
        let (mut opened, late) = oneshot::channel();
        let recorder = self.recorder.clone();
        tokio::spawn(async move {
            tokio::select! {
                tape = start_at_last(&recorder, wanted, marker) => {
                    // Fails where the terminal has just ended.
                    tape.and_then(|tape| opened.send(tape).err());
                }
                () = opened.closed() => {}
            }
        });
        late
    }
}

async fn start(
    recorder: &Recorder,
    wanted: SessionTape,
    marker: Option<Marker>,
) -> Result<Tape, Unrecorded> {
    let tape = recorder.tape(wanted).await.map_err(Unrecorded::Tape)?;
    if let Some(marker) = marker {
        tape.mark(marker).await.map_err(Unrecorded::Mark)?;
    }
    Ok(tape)
}

/// Tries until a tape opens; nothing where none ever will.
async fn start_at_last(
    recorder: &Recorder,
    wanted: SessionTape,
    marker: Option<Marker>,
) -> Option<Tape> {
    let mut pause = FIRST_RETRY;
    loop {
        // Terminals that a database came back to do not all return at once.
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(LONGEST_RETRY);
        match start(recorder, wanted, marker).await {
            Ok(tape) => {
                tracing::info!(session.id = %wanted.session_id, "a terminal is recorded from here on");
                return Some(tape);
            }
            Err(Unrecorded::Tape(OpenTapeError::Superseded { .. } | OpenTapeError::Stopped)) => {
                return None;
            }
            Err(error) => tracing::debug!(session.id = %wanted.session_id, %error,
                "a terminal cannot be recorded yet"),
        }
    }
}

/// Why a tape did not begin.
#[derive(Debug, thiserror::Error)]
enum Unrecorded {
    #[error("{0}")]
    Tape(OpenTapeError),
    #[error("{0}")]
    Mark(session_recording::TapeError),
}

/// The earlier of both places in the browser's shell.
fn earlier(browser: Resume, recorded: Place) -> Resume {
    let out_off = match recorded.shell_epoch.cmp(&browser.shell_epoch) {
        // Nothing of this shell is on record.
        Ordering::Less => 0,
        Ordering::Equal => browser.out_off.min(recorded.offset),
        Ordering::Greater => browser.out_off,
    };
    Resume { out_off, ..browser }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_asked_for_from_what_is_missing_to_browser_or_record() {
        let browser = Resume {
            shell_epoch: 2,
            out_off: 100,
        };
        let asked = |shell_epoch, offset| {
            let recorded = Place {
                shell_epoch,
                offset,
            };
            earlier(browser, recorded).out_off
        };
        assert_eq!(asked(0, 0), 0, "nothing is on record");
        assert_eq!(asked(1, 500), 0, "nothing of this shell is on record");
        assert_eq!(asked(2, 60), 60);
        assert_eq!(asked(2, 140), 100);
        assert_eq!(asked(3, 0), 100, "the browser's shell is no more");
    }
}
