//! Faults at one statement among those about one session, whichever connection it is on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::types::Uuid;
use tokio::sync::watch;

/// On which side of the server a statement is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The server never hears of it.
    Before,
    /// The server carries it out, and its answer is lost.
    After,
}

/// Cuts a connection at the `at`-th statement, from 0, about one session.
///
/// A statement is about a session when the session's id is bound to it, or when its transaction had
/// such a one before: an end of a transaction counts as well. What is asked once for all sessions
/// is about none. A strike at everything counts each word of each connection, the first greeting too.
#[derive(Debug)]
pub struct Strike {
    /// `None`: whatever is said.
    about: Option<Uuid>,
    at: usize,
    pub(super) side: Side,
    counted: AtomicUsize,
    has_struck: watch::Sender<bool>,
}

impl Strike {
    fn concerns(&self, request: &[u8]) -> bool {
        self.about
            .is_none_or(|about| holds(request, about.as_bytes()))
    }

    fn counts_to_its_own(&self) -> bool {
        self.counted.fetch_add(1, Ordering::SeqCst) == self.at
    }

    pub(super) fn has_come_down(&self) {
        self.has_struck.send_replace(true);
    }

    /// Tells whether there were enough statements for it.
    pub fn has_struck(&self) -> bool {
        *self.has_struck.borrow()
    }

    /// Waits for it.
    pub async fn struck(&self) {
        let mut has_struck = self.has_struck.subscribe();
        // The sender lives as long as this value.
        has_struck.wait_for(|has| *has).await.ok();
    }
}

/// The strikes of a proxy.
#[derive(Debug, Default)]
pub(super) struct Strikes(Mutex<Vec<Arc<Strike>>>);

impl Strikes {
    pub(super) fn add(&self, about: Option<Uuid>, at: usize, side: Side) -> Arc<Strike> {
        let strike = Arc::new(Strike {
            about,
            at,
            side,
            counted: AtomicUsize::new(0),
            has_struck: watch::Sender::new(false),
        });
        self.all().push(Arc::clone(&strike));
        strike
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Strike>>> {
        self.0.lock().expect("no test panics inside")
    }
}

/// What one connection is in the middle of.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    is_in_transaction: bool,
    about: Option<Arc<Strike>>,
}

impl Conversation {
    /// Takes note of a statement, and tells by what it is to be struck.
    pub(super) fn note(&mut self, request: &[u8], strikes: &Strikes) -> Option<Arc<Strike>> {
        self.is_in_transaction |= holds(request, b"BEGIN");
        let named = strikes
            .all()
            .iter()
            .find(|it| it.concerns(request))
            .cloned();
        let about = named.or_else(|| self.about.clone());
        let ends = [b"COMMIT".as_slice(), b"ROLLBACK"]
            .iter()
            .any(|end| holds(request, end));
        self.is_in_transaction &= !ends;
        self.about = about.clone().filter(|_| self.is_in_transaction);
        about.filter(|strike| strike.counts_to_its_own())
    }
}

/// Whether bytes hold others.
pub fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_transaction_count_from_the_first_that_names_the_session_to_its_end() {
        let (strikes, id) = (Strikes::default(), Uuid::from_u128(7));
        let strike = strikes.add(Some(id), 2, Side::Before);
        let mut conversation = Conversation::default();
        let mut is_struck = |request: &[u8]| conversation.note(request, &strikes).is_some();
        assert!(!is_struck(b"BEGIN"), "not about anybody yet");
        assert!(!is_struck(b"other"));
        assert!(!is_struck(id.as_bytes()), "0");
        assert!(!is_struck(b"another of the same transaction"), "1");
        assert!(is_struck(b"COMMIT"), "2");
        assert!(!is_struck(b"another's"), "the transaction is over");
        assert_eq!(strike.counted.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_strike_at_everything_counts_each_word() {
        let strikes = Strikes::default();
        strikes.add(None, 1, Side::After);
        let mut conversation = Conversation::default();
        let mut is_struck = |request: &[u8]| conversation.note(request, &strikes).is_some();
        assert!(!is_struck(b"greeting"), "0");
        assert!(is_struck(b"BEGIN"), "1");
        assert!(!is_struck(b"COMMIT"), "2");
    }
}
