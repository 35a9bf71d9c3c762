use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};
use carrel_keeper::frames::RING;

/// The last [`RING`] bytes of one shell's output, each at its offset since the shell began.
///
/// Memory grows with what is in it, so an idle shell costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct OutputRing {
    bytes: VecDeque<u8>,
    end: u64,
}

impl OutputRing {
    /// Returns the offset of the oldest byte held.
    pub(super) fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    /// Returns the offset behind the newest byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Appends output; what exceeds the ring falls off its start.
    pub(super) fn push(&mut self, output: &[u8]) {
        self.end += output.len() as u64;
        let kept = &output[output.len().saturating_sub(RING)..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(RING);
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
    }

    /// Copies at most `most` bytes from offset `from`, which must lie within the ring.
    pub(super) fn copy(&self, from: u64, most: usize) -> Bytes {
        let skip = usize::try_from(from - self.start()).expect("an offset within the ring");
        let count = most.min(self.bytes.len() - skip);
        let mut copied = BytesMut::with_capacity(count);
        let (front, back) = self.bytes.as_slices();
        let of_front = front.get(skip..).unwrap_or_default();
        let of_front = &of_front[..count.min(of_front.len())];
        copied.put_slice(of_front);
        let skip_back = skip.saturating_sub(front.len());
        copied.put_slice(&back[skip_back..skip_back + count - of_front.len()]);
        copied.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_in_the_ring_is_the_byte_of_its_offset(
            chunks in prop::collection::vec(1usize..90_000, 1..12),
            place in 0.0f64..1.0,
            most in 1usize..40_000,
        ) {
            let total: usize = chunks.iter().sum();
            let all: Vec<u8> = (0..=250).cycle().take(total).collect();
            let mut ring = OutputRing::default();
            let mut done = 0;
            for chunk in chunks {
                ring.push(&all[done..done + chunk]);
                done += chunk;
            }
            prop_assert_eq!(ring.end(), total as u64);
            prop_assert_eq!(ring.start(), total.saturating_sub(RING) as u64);
            let start = total.saturating_sub(RING);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss,
                clippy::cast_precision_loss, reason = "picks a place within the ring")]
            let from = start + ((total - start) as f64 * place) as usize;
            let copied = ring.copy(from as u64, most);
            prop_assert_eq!(&copied[..], &all[from..total.min(from + most)]);
        }
    }
}
