//! What a terminal's legs bring is on its way to the recorder before the socket task sees it.

mod word;

use std::time::Duration;

use bytes::Bytes;
use session_recording::{Marker, RecordingPolicy, Tape, TapeError};
use tokio::sync::{mpsc, oneshot};

use super::{CHANNEL, Leg, LegEnd, LegEvent};
use crate::screen_size::ScreenSize;
use word::Word;
pub(crate) use word::window;

/// A spool that takes nothing is asked again so often.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// A terminal's way to its tee, of which there is one however many legs are lost. It ends when all
/// clones and the legs are gone.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    legs: mpsc::UnboundedSender<Brought>,
    asides: mpsc::UnboundedSender<Aside>,
}

/// What a leg brings, and to whom it goes.
#[derive(Debug)]
struct Brought {
    events: mpsc::Receiver<LegEvent>,
    told: mpsc::Sender<LegEvent>,
}

/// What the socket task wants on record beside what the leg brings.
#[derive(Debug)]
pub(crate) enum Aside {
    /// Bytes on their way to the shell.
    Typed(Bytes),
    /// The size the shell is told.
    Resized(ScreenSize),
    /// Something about the terminal.
    Marked(Marker),
}

impl Leg {
    /// Has everything that this leg brings recorded before anybody sees it. A recorder that is slow
    /// keeps the leg from being read, and commands pass all the same. What the leg before has brought
    /// and nobody saw is let go: this one is asked for it again.
    pub(crate) fn taped(mut self, recorded: &Recorded) -> Self {
        let (told, taped) = mpsc::channel(CHANNEL);
        let events = std::mem::replace(&mut self.events, taped);
        self.asides = Some(recorded.asides.clone());
        // Fails only when the tee has gone, and then the leg's events end with it.
        recorded.legs.send(Brought { events, told }).ok();
        self
    }

    /// Whether a tee waits for what this leg brings, or for the leg that comes after it.
    pub(crate) fn is_taped(&self) -> bool {
        self.asides.as_ref().is_some_and(|it| !it.is_closed())
    }

    /// Puts something on record that does not come from the leg, if anything is recorded.
    pub(crate) fn note(&self, aside: Aside) {
        if let Some(asides) = &self.asides {
            // Fails only when the tee has ended, after the leg.
            asides.send(aside).ok();
        }
    }
}

/// What a tape is, or may become.
#[derive(Debug)]
pub(crate) enum Reach {
    /// It runs.
    Open(Tape),
    /// It did not open, and is tried again; until then everything passes.
    Late(oneshot::Receiver<Tape>),
}

/// Between a terminal's legs and its socket task.
#[derive(Debug)]
pub(crate) struct Tee {
    tape: Option<Tape>,
    late: Option<oneshot::Receiver<Tape>>,
    policy: RecordingPolicy,
    /// Up to where output was shown while there was no tape.
    shown_to: u64,
    size: ScreenSize,
    /// DETACH is on record: the browser went before the shell.
    is_detached: bool,
    legs: mpsc::UnboundedReceiver<Brought>,
    asides: mpsc::UnboundedReceiver<Aside>,
}

impl Tee {
    /// Makes a tee and the way to it.
    pub(crate) fn new(reach: Reach, policy: RecordingPolicy, size: ScreenSize) -> (Self, Recorded) {
        let (to_legs, legs) = mpsc::unbounded_channel();
        // Bounded by what may be typed beyond the shell's acknowledgement, and by the pace of resizes.
        let (to_asides, asides) = mpsc::unbounded_channel();
        let (tape, late) = match reach {
            Reach::Open(tape) => (Some(tape), None),
            Reach::Late(late) => (None, Some(late)),
        };
        let tee = Self {
            tape,
            late,
            policy,
            shown_to: 0,
            size,
            is_detached: false,
            legs,
            asides,
        };
        let recorded = Recorded {
            legs: to_legs,
            asides: to_asides,
        };
        (tee, recorded)
    }

    /// Ends with the terminal: what its last leg has brought is recorded still, then that it is over.
    pub(crate) async fn run(mut self) {
        let mut leg: Option<Brought> = None;
        let (mut has_asides, mut has_legs) = (true, true);
        loop {
            tokio::select! {
                biased;
                aside = self.asides.recv(), if has_asides => match aside {
                    Some(aside) => self.aside(aside).await,
                    None => has_asides = false,
                },
                next = self.legs.recv(), if has_legs => match next {
                    Some(next) => leg = Some(next),
                    None => has_legs = false,
                },
                tape = opened(&mut self.late), if has_legs && self.late.is_some() => {
                    self.begin(tape).await;
                }
                event = next_event(&mut leg), if leg.is_some() => {
                    if let Some(event) = event {
                        self.pass(event, &mut leg).await;
                    }
                }
                else => break,
            }
        }
        self.end().await;
    }

    /// Recording begins late: what was shown until now is a gap.
    async fn begin(&mut self, tape: Option<Tape>) {
        let Some(tape) = tape else { return };
        tape.note_unrecorded(self.shown_to);
        self.tape = Some(tape);
        self.aside(Aside::Resized(self.size)).await;
    }

    /// Records an event and passes it on, unless another leg comes first, which is asked for it again.
    async fn pass(&mut self, event: LegEvent, leg: &mut Option<Brought>) {
        let Some(Brought { told, .. }) = &leg else {
            return;
        };
        let told = told.clone();
        if self.tape.is_none()
            && let LegEvent::Output { offset, bytes } = &event
        {
            self.shown_to = offset + bytes.len() as u64;
        }
        let (words, policy) = (self.tape.clone(), self.policy);
        let mut passing = std::pin::pin!(pass(words, policy, event, told));
        loop {
            tokio::select! {
                biased;
                Some(next) = self.legs.recv() => {
                    *leg = Some(next);
                    return;
                }
                Some(aside) = self.asides.recv() => self.aside(aside).await,
                () = &mut passing => return,
            }
        }
    }

    /// Nothing that was typed or resized is worth an end: a tape that failed says so at the next output.
    async fn aside(&mut self, aside: Aside) {
        let word = match aside {
            Aside::Typed(bytes) => Word::Typed(bytes),
            Aside::Resized(size) => {
                self.size = size;
                Word::Resized(window(size))
            }
            Aside::Marked(marker) => {
                self.is_detached |= marker == Marker::Detach && self.tape.is_some();
                Word::Marked(marker)
            }
        };
        if let Err(error) = put(self.tape.as_ref(), self.policy, &word).await {
            tracing::debug!(%error, "what was typed or resized is not on record");
        }
    }

    async fn end(self) {
        let Some(tape) = self.tape else { return };
        let ended = async {
            if !self.is_detached {
                tape.mark(Marker::Detach).await?;
            }
            tape.close().await
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the end of a terminal is not on record");
        }
    }
}

/// What a leg brings next; nothing without one. A leg that is over is let go of.
async fn next_event(leg: &mut Option<Brought>) -> Option<LegEvent> {
    let event = leg.as_mut()?.events.recv().await;
    if event.is_none() {
        *leg = None;
    }
    event
}

/// Waits for a tape that opens late; nothing where none ever will.
async fn opened(late: &mut Option<oneshot::Receiver<Tape>>) -> Option<Tape> {
    let opening = late.as_mut()?;
    let tape = opening.await.ok();
    *late = None;
    tape
}

async fn pass(
    tape: Option<Tape>,
    policy: RecordingPolicy,
    event: LegEvent,
    told: mpsc::Sender<LegEvent>,
) {
    let recorded = match Word::of(&event) {
        Some(word) => put(tape.as_ref(), policy, &word).await,
        None => Ok(()),
    };
    let event = match recorded {
        Ok(()) => event,
        // It stands still from here on, and ends with its terminal.
        Err(TapeError::Full { .. }) => return told.closed().await,
        Err(error) => {
            tracing::warn!(%error, "a terminal that must be recorded cannot be");
            LegEvent::Ended(match error {
                TapeError::Superseded { .. } => LegEnd::Superseded { by: None },
                _ => LegEnd::Unrecorded,
            })
        }
    };
    // Fails when the socket task has gone: what the leg has brought is recorded still.
    told.send(event).await.ok();
}

/// Says it again until the recorder takes it, if the exam must not go on without; else goes on, and
/// what is missing becomes a gap.
async fn put(tape: Option<&Tape>, policy: RecordingPolicy, word: &Word) -> Result<(), TapeError> {
    let Some(tape) = tape else { return Ok(()) };
    let must = policy == RecordingPolicy::FailClosed;
    loop {
        match word.say(tape).await {
            Ok(()) => return Ok(()),
            Err(_) if !must => return Ok(()),
            // A disk may take it later; a full recording never does.
            Err(TapeError::Spool(_)) => tokio::time::sleep(AGAIN_AFTER).await,
            Err(error) => return Err(error),
        }
    }
}
