//! What a shell says of its line: the words before the cursor, and the one at it.

use std::ffi::OsString;

/// A question of a shell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The words before, `carrel` the first, without their quotes.
    pub(super) before: Vec<String>,
    /// The word at the cursor up to there, without its quotes; may be empty.
    pub(super) word: String,
    /// How much of it stays and is not to be said again: bash replaces what follows its last `=` or `:`.
    pub(super) stays: usize,
    /// The quote that is open at the cursor.
    pub(super) quote: Option<char>,
}

impl Asked {
    /// Words as a shell split them, which replaces the whole word.
    pub(super) fn of_words(before: &[OsString], typed: &str) -> Self {
        let before = before.iter();
        Self {
            before: before.map(|it| it.to_string_lossy().into_owned()).collect(),
            word: typed.to_owned(),
            ..Self::default()
        }
    }

    /// A line of bash up to the cursor, and the part of its end that bash replaces: where words are
    /// split is the user's setting (`COMP_WORDBREAKS`), so that only bash knows.
    pub(super) fn of_line(line: &str, replaced: &str) -> Self {
        let reader = Reader::of(line);
        let replaces = Reader::of(replaced).word.unwrap_or_default();
        let word = reader.word.unwrap_or_default();
        let stays = word.strip_suffix(&replaces).map_or(0, str::len);
        Self {
            before: reader.words,
            word,
            stays,
            quote: reader.quote,
        }
    }
}

/// Reads as bash does, as far as a line goes that is not finished.
#[derive(Debug, Default)]
struct Reader {
    words: Vec<String>,
    /// The word that has begun.
    word: Option<String>,
    quote: Option<char>,
    is_escaped: bool,
}

impl Reader {
    fn of(line: &str) -> Self {
        let mut reader = Self::default();
        for it in line.chars() {
            reader.read(it);
        }
        reader
    }

    fn read(&mut self, it: char) {
        if self.is_escaped {
            self.is_escaped = false;
            // Between double quotes a backslash is one unless it stands before what is special there.
            if self.quote == Some('"') && !matches!(it, '"' | '\\' | '$' | '`') {
                self.push('\\');
            }
            return self.push(it);
        }
        match (self.quote, it) {
            (None | Some('"'), '\\') => self.is_escaped = true,
            (Some(open), _) if open == it => self.quote = None,
            (None, '\'' | '"') => {
                self.quote = Some(it);
                self.word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n') => self.words.extend(self.word.take()),
            _ => self.push(it),
        }
    }

    fn push(&mut self, it: char) {
        self.word.get_or_insert_default().push(it);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str, replaced: &str) -> (Vec<String>, String, usize, Option<char>) {
        let asked = Asked::of_line(line, replaced);
        (asked.before, asked.word, asked.stays, asked.quote)
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_line_is_split_at_spaces_and_its_last_word_may_be_empty() {
        let before = words("carrel jobs list");
        assert_eq!(
            asked("carrel  jobs list ", ""),
            (before.clone(), String::new(), 0, None)
        );
        assert_eq!(
            asked("carrel jobs list --st", "--st"),
            (before, "--st".to_owned(), 0, None)
        );
        assert_eq!(asked("", ""), (Vec::new(), String::new(), 0, None));
    }

    #[test]
    fn what_bash_does_not_replace_stays() {
        let before = words("carrel jobs list");
        let typed = |line: &str, replaced: &str| {
            let (found, word, stays, quote) = asked(line, replaced);
            assert_eq!(found, before, "{line}");
            (word, stays, quote)
        };
        let word = |word: &str| word.to_owned();
        assert_eq!(
            typed("carrel jobs list --queue=en", "en"),
            (word("--queue=en"), 8, None)
        );
        assert_eq!(
            typed("carrel jobs list --queue=", ""),
            (word("--queue="), 8, None)
        );
        // With `=` taken out of the user's word breaks.
        assert_eq!(
            typed("carrel jobs list --queue=en", "--queue=en"),
            (word("--queue=en"), 0, None)
        );
        assert_eq!(
            typed("carrel jobs list --queue=\"my q", "\"my q"),
            (word("--queue=my q"), 8, Some('"'))
        );
    }

    #[test]
    fn quotes_and_backslashes_are_read_as_bash_reads_them() {
        for (line, word, quote) in [
            ("carrel my\\ q", "my q", None),
            ("carrel 'my q", "my q", Some('\'')),
            ("carrel 'my\\ q'", "my\\ q", None),
            ("carrel \"a\\$b\\c", "a$b\\c", Some('"')),
            ("carrel ''", "", None),
            ("carrel a'b c'd", "ab cd", None),
        ] {
            let (before, found, _, open) = asked(line, "");
            assert_eq!(before, ["carrel"], "{line}");
            assert_eq!((found.as_str(), open), (word, quote), "{line}");
        }
    }
}
