//! How much of what a runtime says is kept as evidence.

/// What a runtime says may be long.
const MESSAGE_LENGTH: usize = 1024;

/// Cuts a message to what is worth storing.
pub(crate) fn bounded(message: &str) -> String {
    message.chars().take(MESSAGE_LENGTH).collect()
}

/// Keeps the last bytes of what is read piece by piece.
#[derive(Debug)]
pub(crate) struct Ending {
    kept: Vec<u8>,
    at_most: usize,
}

impl Ending {
    pub(crate) fn of(at_most: usize) -> Self {
        Self {
            kept: Vec::new(),
            at_most,
        }
    }

    /// Adds a piece. Up to twice the bound is held, so that not every piece moves the rest.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.kept.extend_from_slice(piece);
        let surplus = self.kept.len().saturating_sub(self.at_most);
        if surplus > self.at_most {
            self.kept.drain(..surplus);
        }
    }

    /// The end as text that begins with a whole character.
    pub(crate) fn into_text(self) -> String {
        let surplus = self.kept.len().saturating_sub(self.at_most);
        let is_inside = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let rest = self.kept[surplus..].iter().take_while(is_inside).count();
        String::from_utf8_lossy(&self.kept[surplus + rest..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(pieces: &[&str], at_most: usize) -> String {
        let mut ending = Ending::of(at_most);
        for piece in pieces {
            ending.push(piece.as_bytes());
        }
        ending.into_text()
    }

    #[test]
    fn a_text_is_cut_at_its_beginning_and_between_characters() {
        assert_eq!(ending(&["abc"], 3), "abc");
        assert_eq!(ending(&["abc"], 2), "bc");
        assert_eq!(ending(&["aéc"], 2), "c");
    }

    #[test]
    fn of_many_pieces_the_last_are_kept() {
        let pieces = ["first\n", "second\n", "third\n", "last\n"];
        assert_eq!(ending(&pieces, 5), "last\n");
        assert_eq!(ending(&pieces, 11), "third\nlast\n");
        assert_eq!(ending(&pieces, 100), pieces.concat());
    }
}
