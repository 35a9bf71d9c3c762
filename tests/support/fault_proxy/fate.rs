//! What becomes of one connection through the proxy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::strike::{Conversation, Side, Strike, Strikes};

/// What is to become of one connection.
pub(super) struct Fate {
    strikes: Arc<Strikes>,
    /// No answer arrives any more.
    is_doomed: AtomicBool,
    struck: OnceLock<Arc<Strike>>,
}

impl Fate {
    pub(super) fn new(strikes: Arc<Strikes>) -> Self {
        let (is_doomed, struck) = (AtomicBool::new(false), OnceLock::new());
        Self {
            strikes,
            is_doomed,
            struck,
        }
    }

    /// Lets no answer arrive from now on.
    pub(super) fn doom(&self) {
        self.is_doomed.store(true, Ordering::Relaxed);
    }

    /// Tells whether a strike lets a request through; the answer is lost if it is struck after it.
    pub(super) fn lets_through(&self, request: &[u8], conversation: &mut Conversation) -> bool {
        let Some(strike) = conversation.note(request, &self.strikes) else {
            return true;
        };
        if strike.side == Side::Before {
            strike.has_come_down();
            return false;
        }
        // First by what, so that an answer that comes between tells of it.
        self.struck.get_or_init(|| strike);
        self.doom();
        true
    }

    /// Tells whether an answer that has come is lost.
    pub(super) fn takes_answer(&self) -> bool {
        if let Some(strike) = self.struck.get() {
            strike.has_come_down();
        }
        self.is_doomed.load(Ordering::Relaxed)
    }
}
