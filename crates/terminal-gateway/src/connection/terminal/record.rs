//! What is recorded of a terminal, and what follows from it.

use environment_access::wire::CloseCode;

use super::Terminal;
use crate::connection::recording::written_in;

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

    /// The record has grown, and what it held up is acknowledged next. A record that nobody grows any
    /// more holds nothing up.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    pub(super) fn written(&mut self, grows: bool) -> Result<(), CloseCode> {
        if !grows {
            self.written_to = None;
        }
        Ok(())
    }
}
