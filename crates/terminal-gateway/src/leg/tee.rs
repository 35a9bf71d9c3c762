//! What a leg brings is on its way to the recorder before the socket task sees it.

use std::time::Duration;

use bytes::Bytes;
use carrel_keeper::frames::Exit;
use session_recording::{ExitStatus, RecordingPolicy, Tape, TapeError, WindowSize};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{CHANNEL, Leg, LegEnd, LegEvent};
use crate::connection::ScreenSize;

/// A spool that takes nothing is asked again so often.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// A tape and what the exam wants when it takes nothing.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Where everything goes.
    pub(crate) tape: Tape,
    /// What comes first when recording fails.
    pub(crate) policy: RecordingPolicy,
    /// Tees that may still hold something.
    pub(crate) tees: TaskTracker,
}

/// What the socket task wants on record beside what the leg brings.
#[derive(Debug)]
pub(crate) enum Aside {
    /// Bytes on their way to the shell.
    Typed(Bytes),
    /// The size the shell is told.
    Resized(ScreenSize),
}

impl Leg {
    /// Has everything that this leg brings recorded before anybody sees it. A recorder that is slow
    /// keeps the leg from being read, and commands pass all the same.
    pub(crate) fn taped(mut self, recorded: &Recorded) -> Self {
        let (told, taped) = mpsc::channel(CHANNEL);
        // Bounded by what may be typed beyond the shell's acknowledgement, and by the pace of resizes.
        let (asides, said) = mpsc::unbounded_channel();
        let brought = std::mem::replace(&mut self.events, taped);
        self.asides = Some(asides);
        let tee = Tee {
            tape: recorded.tape.clone(),
            policy: recorded.policy,
            told,
        };
        recorded.tees.spawn(tee.run(brought, said));
        self
    }

    /// Puts something on record that does not come from the leg, if anything is recorded.
    pub(crate) fn note(&self, aside: Aside) {
        if let Some(asides) = &self.asides {
            // Fails only when the tee has ended, after the leg.
            asides.send(aside).ok();
        }
    }
}

/// Between one leg and the socket task.
struct Tee {
    tape: Tape,
    policy: RecordingPolicy,
    told: mpsc::Sender<LegEvent>,
}

impl Tee {
    /// Ends with the leg. When the socket task has gone, what the leg has brought is recorded still.
    async fn run(
        self,
        mut events: mpsc::Receiver<LegEvent>,
        mut said: mpsc::UnboundedReceiver<Aside>,
    ) {
        loop {
            let event = tokio::select! {
                biased;
                Some(aside) = said.recv() => {
                    self.aside(aside).await;
                    continue;
                }
                event = events.recv() => event,
            };
            let Some(event) = event else { return };
            let event = match self.record(&event).await {
                Ok(()) => event,
                Err(error) => {
                    tracing::warn!(%error, "a terminal that must be recorded cannot be");
                    LegEvent::Ended(match error {
                        TapeError::Superseded { .. } => LegEnd::Superseded,
                        _ => LegEnd::Unrecorded,
                    })
                }
            };
            self.told.send(event).await.ok();
        }
    }

    async fn record(&self, event: &LegEvent) -> Result<(), TapeError> {
        match event {
            LegEvent::Output { offset, bytes } => {
                self.put(&Word::Shown(*offset, bytes.clone())).await
            }
            LegEvent::Ended(LegEnd::Exit(exit)) => match status(*exit) {
                Some(status) => self.put(&Word::Ended(status)).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Nothing that was typed or resized is worth an end: a tape that failed says so at the next output.
    async fn aside(&self, aside: Aside) {
        let word = match aside {
            Aside::Typed(bytes) => Word::Typed(bytes),
            Aside::Resized(size) => Word::Resized(window(size)),
        };
        if let Err(error) = self.put(&word).await {
            tracing::debug!(%error, "what was typed or resized is not on record");
        }
    }

    /// Says it again until the spool takes it, if the exam must not go on without; else goes on, and
    /// what is missing becomes a gap.
    async fn put(&self, word: &Word) -> Result<(), TapeError> {
        let must = self.policy == RecordingPolicy::FailClosed;
        loop {
            match self.say(word).await {
                Ok(()) => return Ok(()),
                Err(_) if !must => return Ok(()),
                Err(TapeError::Spool(_)) => tokio::time::sleep(AGAIN_AFTER).await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn say(&self, word: &Word) -> Result<(), TapeError> {
        match word {
            Word::Shown(offset, bytes) => self.tape.output(*offset, bytes.clone()).await,
            Word::Typed(bytes) => self.tape.input(bytes.clone()).await,
            Word::Resized(size) => self.tape.resize(*size).await,
            Word::Ended(status) => self.tape.exit(*status).await,
        }
    }
}

/// What goes to the recorder.
enum Word {
    /// Output at its offset.
    Shown(u64, Bytes),
    Typed(Bytes),
    Resized(WindowSize),
    Ended(ExitStatus),
}

/// The exit as recordings tell it; the keeper says one of both.
fn status(exit: Exit) -> Option<ExitStatus> {
    let by_signal = exit.signal.map(ExitStatus::Signal);
    exit.code.map(ExitStatus::Code).or(by_signal)
}

/// A screen's size as recordings tell it.
pub(crate) const fn window(size: ScreenSize) -> WindowSize {
    WindowSize {
        cols: size.columns,
        rows: size.rows,
    }
}
