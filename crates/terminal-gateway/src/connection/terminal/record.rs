//! What is recorded of a terminal, and what follows from it.

use environment_access::wire::CloseCode;
use session_recording::Place;
use tokio::sync::watch;

use super::Terminal;

impl Terminal<'_> {
    /// Up to where the keeper may forget output: the browser has parsed it, and where it is recorded the
    /// record would survive this process.
    pub(super) fn consumed(&self) -> u64 {
        let parsed = self.outbox.acked();
        match &self.written_to {
            Some(written_to) => parsed.min(written_in(*written_to.borrow(), self.shell_epoch)),
            None => parsed,
        }
    }

    /// The record has grown; what it held up may be acknowledged. A record that nobody grows any more
    /// holds nothing up.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    pub(super) fn written(&mut self, grows: bool) -> Result<(), CloseCode> {
        if !grows {
            self.written_to = None;
        }
        self.ack_due = Some(self.consumed());
        Ok(())
    }
}

/// How far one shell's output is written.
const fn written_in(place: Place, shell_epoch: u32) -> u64 {
    if place.shell_epoch == shell_epoch {
        place.offset
    } else {
        0
    }
}

/// Waits until the record has grown; says whether it can grow further.
pub(super) async fn next_place(written_to: &mut Option<watch::Receiver<Place>>) -> bool {
    match written_to {
        Some(written_to) => written_to.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
