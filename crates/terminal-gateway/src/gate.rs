//! The gate in front of a shell: once shut, no typed byte passes, whatever else still runs.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use environment_access::wire::CloseCode;
use tokio::sync::Notify;

/// What an open gate stores where a shut one stores its close code.
const OPEN: u16 = 0;

/// Whether an attach may still write, and until when.
///
/// Shared by the authority loop, the socket task and the leg task; shutting it is one atomic
/// store, so nothing that waits can delay it.
#[derive(Debug)]
pub(crate) struct Gate {
    began: Instant,
    shut: AtomicU16,
    deadline_micros: AtomicU64,
    changed: Notify,
}

impl Gate {
    /// An open gate that shuts by itself at `deadline`.
    pub(crate) fn new(deadline: Instant) -> Self {
        let gate = Self {
            began: Instant::now(),
            shut: AtomicU16::new(OPEN),
            deadline_micros: AtomicU64::new(0),
            changed: Notify::new(),
        };
        gate.move_deadline(deadline);
        gate
    }

    /// Shuts it for good. The first reason stays; says whether this was the first.
    pub(crate) fn shut(&self, code: CloseCode) -> bool {
        let number = code.number();
        let first = self
            .shut
            .compare_exchange(OPEN, number, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_waiters();
        first.is_ok()
    }

    /// Moves the moment at which it shuts by itself. A shut gate stays shut.
    pub(crate) fn move_deadline(&self, deadline: Instant) {
        let micros = deadline.saturating_duration_since(self.began).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.deadline_micros.store(micros, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// The moment at which it shuts by itself.
    pub(crate) fn deadline(&self) -> Instant {
        let micros = self.deadline_micros.load(Ordering::SeqCst);
        // A cap beyond any exam keeps the sum within what an `Instant` can hold.
        self.began + Duration::from_micros(micros.min(u64::from(u32::MAX) * 1_000_000))
    }

    /// Why it is shut; `None` while it is open. Past its deadline it shuts here and now.
    pub(crate) fn reason(&self) -> Option<CloseCode> {
        if self.shut.load(Ordering::SeqCst) == OPEN && Instant::now() >= self.deadline() {
            self.shut(CloseCode::SessionEnded);
        }
        CloseCode::from_number(self.shut.load(Ordering::SeqCst))
    }

    /// Whether a typed byte may pass now.
    pub(crate) fn is_open(&self) -> bool {
        self.reason().is_none()
    }

    /// Waits until it is shut, by hand or by its deadline.
    pub(crate) async fn wait_shut(&self) -> CloseCode {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            if let Some(code) = self.reason() {
                return code;
            }
            let deadline = tokio::time::Instant::from_std(self.deadline());
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[test]
    fn the_first_reason_stays() {
        let gate = Gate::new(later());
        assert!(gate.is_open());
        assert!(gate.shut(CloseCode::Superseded));
        assert!(!gate.shut(CloseCode::SessionEnded));
        assert_eq!(gate.reason(), Some(CloseCode::Superseded));
    }

    #[test]
    fn past_its_deadline_it_is_shut_without_anybody_s_help() {
        let gate = Gate::new(Instant::now());
        assert_eq!(gate.reason(), Some(CloseCode::SessionEnded));
        gate.move_deadline(later());
        assert!(!gate.is_open(), "a shut gate never opens again");
    }

    #[tokio::test]
    async fn a_moved_deadline_is_the_one_that_counts() {
        let gate = Gate::new(Instant::now() + Duration::from_secs(1));
        gate.move_deadline(later());
        let waited = tokio::time::timeout(Duration::from_millis(1_200), gate.wait_shut()).await;
        assert!(waited.is_err() && gate.is_open());
        gate.move_deadline(Instant::now() + Duration::from_millis(10));
        assert_eq!(gate.wait_shut().await, CloseCode::SessionEnded);
    }

    #[tokio::test]
    async fn whoever_waits_learns_of_a_shut_gate_at_once() {
        let gate = std::sync::Arc::new(Gate::new(later()));
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.wait_shut().await }
        });
        tokio::task::yield_now().await;
        gate.shut(CloseCode::Superseded);
        assert_eq!(waiting.await.unwrap(), CloseCode::Superseded);
    }
}
