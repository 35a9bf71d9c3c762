//! What goes to the recorder.

use bytes::Bytes;
use carrel_keeper::frames::Exit;
use session_recording::{ExitStatus, Marker, Tape, TapeError, WindowSize};

use crate::leg::{LegEnd, LegEvent};
use crate::screen_size::ScreenSize;

/// What goes to the recorder.
#[derive(Debug)]
pub(super) enum Word {
    /// Output at its offset.
    Shown(u64, Bytes),
    Typed(Bytes),
    Resized(WindowSize),
    Marked(Marker),
    Ended(ExitStatus),
}

impl Word {
    /// What there is to say of an event, if anything.
    pub(super) fn of(event: &LegEvent) -> Option<Self> {
        match event {
            LegEvent::Output { offset, bytes } => Some(Self::Shown(*offset, bytes.clone())),
            LegEvent::Ended(LegEnd::Exit(exit)) => status(*exit).map(Self::Ended),
            _ => None,
        }
    }

    pub(super) async fn say(&self, tape: &Tape) -> Result<(), TapeError> {
        match self {
            Self::Shown(offset, bytes) => tape.output(*offset, bytes.clone()).await,
            Self::Typed(bytes) => tape.input(bytes.clone()).await,
            Self::Resized(size) => tape.resize(*size).await,
            Self::Marked(marker) => tape.mark(*marker).await,
            Self::Ended(status) => tape.exit(*status).await,
        }
    }
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
