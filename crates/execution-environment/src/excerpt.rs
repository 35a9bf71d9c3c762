//! How much of what a runtime says is kept as evidence.

use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

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

/// Most that is read to find the end of something. What is longer is no diagnostics.
const MOST_READ: usize = 16 * 1024 * 1024;

/// Why the end of what was read is not the end of what there is.
#[derive(Debug)]
pub(crate) enum CutOff<E> {
    /// No more came in time.
    Slow,
    /// There is more than is read.
    Long,
    /// It broke off.
    Broken(E),
}

/// As the last line of what was read.
impl<E: fmt::Display> fmt::Display for CutOff<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow => f.write_str("(cut off here: no more came in time)"),
            Self::Long => f.write_str("(cut off here: it is too long)"),
            Self::Broken(error) => write!(f, "(cut off here: {error})"),
        }
    }
}

/// Reads pieces for so long at most and keeps the last bytes, whatever ended it.
pub(crate) async fn read_ending<E>(
    pieces: impl Stream<Item = Result<Bytes, E>>,
    at_most: usize,
    until: Instant,
) -> (String, Option<CutOff<E>>) {
    let mut pieces = pin!(pieces);
    let mut ending = Ending::of(at_most);
    let mut left = MOST_READ;
    let cut_off = loop {
        let piece = match timeout_at(until, pieces.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => break Some(CutOff::Broken(error)),
            Ok(None) => break None,
            Err(_) => break Some(CutOff::Slow),
        };
        ending.push(&piece);
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => break Some(CutOff::Long),
        }
    };
    (ending.into_text(), cut_off)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;

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

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    /// Pieces as they come, and an error at the end where one is named.
    fn pieces(
        texts: [&'static str; 2],
        error: Option<&'static str>,
    ) -> impl Stream<Item = Result<Bytes, &'static str>> {
        let texts = texts.map(|text| Ok(Bytes::from_static(text.as_bytes())));
        stream::iter(texts.into_iter().chain(error.map(Err)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_before_it_was_slow_or_broke_off_is_kept() {
        let whole = pieces(["one\n", "two\n"], None);
        let (text, cut_off) = read_ending(whole, 4, later()).await;
        assert!(text == "two\n" && cut_off.is_none(), "{text} {cut_off:?}");
        let stalls = pieces(["one\n", "two\n"], None).chain(stream::pending());
        let (text, cut_off) = read_ending(stalls, 100, later()).await;
        assert!(text == "one\ntwo\n" && matches!(cut_off, Some(CutOff::Slow)));
        let breaks = pieces(["one\n", "two\n"], Some("reset"));
        let (text, cut_off) = read_ending(breaks, 100, later()).await;
        assert!(text == "one\ntwo\n" && matches!(cut_off, Some(CutOff::Broken("reset"))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_end_is_read_so_far_and_no_further() {
        let endless = stream::repeat_with(|| Ok::<_, ()>(Bytes::from(vec![b'x'; 1 << 20])));
        let (text, cut_off) = read_ending(endless, 10, later()).await;
        assert!(text.len() == 10 && matches!(cut_off, Some(CutOff::Long)));
    }
}
