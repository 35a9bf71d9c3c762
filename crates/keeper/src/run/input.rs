use bytes::{Buf as _, BytesMut};
use carrel_keeper::frames::{INPUT_WINDOW, RefusalCode};

/// Input on its way to the shell: received, in order, not yet taken by the PTY.
#[derive(Debug, Default)]
pub(super) struct InputQueue {
    pending: BytesMut,
    written: u64,
}

impl InputQueue {
    /// Returns the input bytes the PTY has taken since the shell began.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes `bytes` that begin at `in_off`; what was received before is skipped.
    ///
    /// # Errors
    /// [`RefusalCode::InputGap`] and [`RefusalCode::InputOverflow`].
    pub(super) fn accept(&mut self, in_off: u64, bytes: &[u8]) -> Result<(), RefusalCode> {
        let received = self.written + self.pending.len() as u64;
        let known = received.checked_sub(in_off).ok_or(RefusalCode::InputGap)?;
        let fresh = usize::try_from(known)
            .ok()
            .and_then(|known| bytes.get(known..));
        let fresh = fresh.unwrap_or_default();
        if self.pending.len() + fresh.len() > INPUT_WINDOW {
            return Err(RefusalCode::InputOverflow);
        }
        self.pending.extend_from_slice(fresh);
        Ok(())
    }

    /// Returns what the PTY should take next.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Notes that the PTY took `count` bytes.
    pub(super) fn took(&mut self, count: usize) {
        self.pending.advance(count);
        self.written += count as u64;
        if self.pending.is_empty() {
            // A big paste must not pin its buffer for the rest of the session.
            self.pending = BytesMut::new();
        }
    }

    /// Forgets what the PTY has not taken: its sender was fenced off, or will send it again.
    pub(super) fn discard(&mut self) {
        self.pending = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resend_adds_only_what_is_new() {
        let mut queue = InputQueue::default();
        queue.accept(0, b"echo ").unwrap();
        queue.took(2);
        queue.accept(0, b"echo hi").unwrap();
        queue.accept(1, b"cho").unwrap();
        assert_eq!(queue.pending(), b"ho hi");
        assert_eq!(queue.written(), 2);
    }

    #[test]
    fn a_gap_is_refused_and_changes_nothing() {
        let mut queue = InputQueue::default();
        queue.accept(0, b"ab").unwrap();
        assert_eq!(queue.accept(3, b"d"), Err(RefusalCode::InputGap));
        assert_eq!(queue.pending(), b"ab");
    }

    #[test]
    fn more_than_the_window_is_refused() {
        let mut queue = InputQueue::default();
        queue.accept(0, &vec![b'x'; INPUT_WINDOW]).unwrap();
        assert_eq!(
            queue.accept(INPUT_WINDOW as u64, b"y"),
            Err(RefusalCode::InputOverflow)
        );
    }

    #[test]
    fn discarded_input_is_expected_again() {
        let mut queue = InputQueue::default();
        queue.accept(0, b"abcd").unwrap();
        queue.took(1);
        queue.discard();
        queue.accept(1, b"bc").unwrap();
        assert_eq!(queue.pending(), b"bc");
    }
}
