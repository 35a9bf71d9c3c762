//! Bytes as text: what is cut between two reads is carried over, what is no text becomes U+FFFD.

/// The beginning of a character whose rest has not come.
#[derive(Debug, Default)]
pub(super) struct Carry(Vec<u8>);

impl Carry {
    /// Turns the next bytes into text. All texts together are what one look at all bytes would give.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.0);
        all.extend_from_slice(bytes);
        let whole = all.len() - unfinished(&all);
        self.0 = all.split_off(whole);
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Gives up waiting for the rest of a character.
    pub(super) fn flush(&mut self) -> String {
        let rest = std::mem::take(&mut self.0);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// The length of a character's beginning at the end.
fn unfinished(bytes: &[u8]) -> usize {
    // A character has at most four bytes, so its beginning is among the last three.
    let last = bytes.len().saturating_sub(3);
    (last..bytes.len())
        .find(|begin| {
            let end = std::str::from_utf8(&bytes[*begin..]);
            end.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .map_or(0, |begin| bytes.len() - begin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let text = "[a-z€😀ß]{0,8}".prop_map(String::into_bytes);
        let noise = proptest::collection::vec(any::<u8>(), 0..6);
        let pieces = proptest::collection::vec(prop_oneof![text, noise], 0..8);
        pieces.prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn text_cut_anywhere_is_the_text_of_the_whole(bytes in bytes(), size in 1_usize..5) {
            let mut carry = Carry::default();
            let mut text: String = bytes.chunks(size).map(|piece| carry.decode(piece)).collect();
            text.push_str(&carry.flush());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_character_in_two_reads_comes_with_the_second() {
        let mut carry = Carry::default();
        let [first, rest @ ..] = "€".as_bytes() else {
            unreachable!("the sign has three bytes")
        };
        assert_eq!(carry.decode(&[b'x', *first]), "x");
        assert_eq!(carry.decode(rest), "€");
        assert_eq!(carry.decode(&[0xff, 0xf0, 0x9f]), "\u{fffd}");
        assert_eq!(carry.flush(), "\u{fffd}");
    }
}
