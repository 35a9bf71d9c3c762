//! What shells print that print for long: text of which every place is known, so that a byte that is
//! lost, doubled or moved shows wherever it is read.

use std::sync::LazyLock;

use bytes::Bytes;

/// A prime: no multiple of it is what a buffer, a frame or a window holds.
const PERIOD: usize = 16_381;
/// Most that is taken of it at once.
pub(crate) const CHUNK: usize = 16 * 1024;

static TABLE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 1_u64;
    let mut printable = || {
        // Lehmer's generator.
        state = state * 16_807 % 2_147_483_647;
        b'!' + u8::try_from(state % 94).expect("fewer than there are printable characters")
    };
    let once: Vec<u8> = (0..PERIOD).map(|_| printable()).collect();
    once.iter().copied().cycle().take(PERIOD + CHUNK).collect()
});

/// So many bytes from an offset on, without a copy; [`CHUNK`] at most.
pub(crate) fn at(offset: u64, length: usize) -> Bytes {
    let start = usize::try_from(offset % PERIOD as u64).expect("a period is short");
    TABLE.slice(start..start + length)
}

/// Whether that is what stands there.
pub(crate) fn is_at(mut offset: u64, bytes: &[u8]) -> bool {
    bytes.chunks(CHUNK).all(|piece| {
        let is_here = at(offset, piece.len()) == piece;
        offset += piece.len() as u64;
        is_here
    })
}
