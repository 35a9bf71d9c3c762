//! Typed bytes until the shell has them: kept, numbered, and sent within the server's credit.

use bytes::Bytes;
use environment_access::wire::limits::MAX_INPUT;

/// Bytes that are not yet acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// Offset of the first byte kept.
    from: u64,
    kept: Vec<u8>,
    /// How many of the kept bytes this connection has sent.
    sent: usize,
    /// First offset beyond the credit.
    limit: u64,
}

impl Input {
    pub(super) fn new(offset: u64, window: u32) -> Self {
        Self {
            from: offset,
            kept: Vec::new(),
            sent: 0,
            limit: offset + u64::from(window),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Offset after the last byte that was ever sent.
    pub(super) fn sent(&self) -> u64 {
        self.from + to_u64(self.sent)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes the next piece that may be sent.
    pub(super) fn next_frame(&mut self) -> Option<(u64, Bytes)> {
        let offset = self.sent();
        let credit = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let size = (self.kept.len() - self.sent).min(credit).min(MAX_INPUT);
        if size == 0 {
            return None;
        }
        let bytes = Bytes::copy_from_slice(&self.kept[self.sent..self.sent + size]);
        self.sent += size;
        Some((offset, bytes))
    }

    /// Forgets what has reached the shell.
    pub(super) fn acknowledged(&mut self, offset: u64, credit: u32) {
        self.forget_before(offset);
        self.limit = offset + u64::from(credit);
    }

    /// Begins a new connection: everything the server does not have is sent again.
    pub(super) fn continue_from(&mut self, offset: u64, window: u32) {
        self.forget_before(offset);
        self.sent = 0;
        self.limit = offset + u64::from(window);
    }

    fn forget_before(&mut self, offset: u64) {
        let known = self.from + to_u64(self.kept.len());
        assert!(
            (self.from..=known).contains(&offset),
            "the server claims input {offset}; we typed {} to {known}",
            self.from
        );
        let count = usize::try_from(offset - self.from).expect("input is short");
        self.kept.drain(..count);
        self.sent = self.sent.saturating_sub(count);
        self.from = offset;
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("input is short")
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn only_what_the_server_lacks_is_sent_again() {
        let mut input = Input::new(10, 4);
        input.push(b"abcdef");
        assert_eq!(input.next_frame().unwrap().1, "abcd");
        assert!(input.next_frame().is_none(), "the credit is used up");
        input.acknowledged(12, 2);
        assert!(input.next_frame().is_none());
        input.continue_from(13, 100);
        assert_eq!(input.next_frame().unwrap(), (13, "def".into()));
        input.acknowledged(16, 100);
        assert!(input.is_empty());
    }
}
