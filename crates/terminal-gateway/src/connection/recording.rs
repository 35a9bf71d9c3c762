//! Keeping what an exam wants kept of a terminal, from its first byte to its last.

use std::cmp::Ordering;
use std::time::Duration;

use carrel_keeper::frames::{Opened, Resume};
use environment_access::wire::CloseCode;
use execution_environment::Recording;
use orchestrator::WantedRecording;
use session_identity::ExamSessionId;
use session_recording::{
    Marker, OpenTapeError, Place, Recorder, RecordingPolicy, SessionTape, SpoolFault,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::pace::ScreenSize;
use crate::leg::{Recorded, window};
use crate::state::GatewayState;

/// How long a connection that is over waits for the last of its recording to be on the disk.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

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
    session_id: ExamSessionId,
    terms: RecordingTerms,
    /// How far the session is on record.
    recorded_to: Option<Place>,
}

/// A recording that runs.
#[derive(Debug, Clone)]
pub(super) struct Taped {
    /// What legs are recorded with.
    pub(super) recorded: Recorded,
    /// What the spool says.
    faults: watch::Receiver<Option<SpoolFault>>,
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
    match recorder.recorded_to(session_id).await {
        Ok(recorded_to) => Ok(Some(Prepared {
            recorder,
            session_id,
            terms,
            recorded_to,
        })),
        Err(error) => without(session_id, terms.policy, &error),
    }
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

    /// Begins, or goes on, once the keeper has said which shell it is.
    ///
    /// # Errors
    /// As [`prepare`].
    pub(super) async fn begin(
        self,
        opened: &Opened,
        size: ScreenSize,
        continues: bool,
    ) -> Result<Option<Taped>, CloseCode> {
        let wanted = SessionTape {
            session_id: self.session_id,
            shell_epoch: opened.shell_epoch,
            policy: self.terms.policy,
            records_input: self.terms.records_input,
            size: window(size),
        };
        let marker = if continues {
            Marker::Resume
        } else {
            Marker::Attach
        };
        let begun = async {
            let tape = self.recorder.tape(wanted).await.map_err(Unrecorded::Tape)?;
            tape.mark(marker).await.map_err(Unrecorded::Mark)?;
            Ok::<_, Unrecorded>(tape)
        };
        match begun.await {
            Ok(tape) => Ok(Some(Taped {
                recorded: Recorded {
                    tape,
                    policy: self.terms.policy,
                    tees: TaskTracker::new(),
                },
                faults: self.recorder.faults(),
            })),
            // A later shell has the terminal: the newer attach is on its way here, or at work elsewhere.
            Err(Unrecorded::Tape(OpenTapeError::Superseded { .. })) => Err(CloseCode::Superseded),
            Err(error) => without(self.session_id, self.terms.policy, &error),
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

impl Taped {
    /// What the spool says, where input has to wait for it.
    pub(super) fn freezes_on(&self) -> Option<watch::Receiver<Option<SpoolFault>>> {
        (self.recorded.policy == RecordingPolicy::FailClosed).then(|| self.faults.clone())
    }

    /// Follows how far output survives the end of this process, where it must not be forgotten before.
    pub(super) fn written_to(&self) -> Option<watch::Receiver<Place>> {
        let must = self.recorded.policy == RecordingPolicy::FailClosed;
        self.recorded.tape.written_to().filter(|_| must)
    }

    /// Waits, for a while, until the last that the terminal showed is on the disk.
    pub(super) async fn finish(self, session_id: ExamSessionId) {
        let Recorded { tape, tees, .. } = self.recorded;
        tees.close();
        let last = async {
            tees.wait().await;
            tape.mark(Marker::Detach).await?;
            tape.close().await
        };
        match timeout(FINISH_WITHIN, last).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(session.id = %session_id, %error,
                "the end of a terminal is not on record"),
            Err(_) => tracing::warn!(session.id = %session_id,
                "the end of a terminal was not on the disk in time; it follows when the spool takes it"),
        }
    }
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
