//! An id by its beginning, as a person types it.

use std::str::FromStr;

use uuid::Uuid;

/// Shorter ones would name whole days: ids begin with the time of their making.
const SHORTEST: usize = 6;
const WHOLE: usize = 32;

/// An id or its beginning: at least six hexadecimal digits, dashes where one likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPrefix(String);

/// What is no beginning of an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read `{0}` as an id or its beginning: at least 6 hexadecimal digits")]
pub struct IdPrefixError(String);

impl IdPrefix {
    /// The first id that begins so.
    pub fn first(&self) -> Uuid {
        self.filled("0")
    }

    /// The last id that begins so; the first one again where the whole id was given.
    pub fn last(&self) -> Uuid {
        self.filled("f")
    }

    fn filled(&self, digit: &str) -> Uuid {
        let digits = format!("{}{}", self.0, digit.repeat(WHOLE - self.0.len()));
        digits.parse().expect("32 hexadecimal digits are a UUID")
    }
}

impl FromStr for IdPrefix {
    type Err = IdPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace('-', "").to_ascii_lowercase();
        let is_prefix = (SHORTEST..=WHOLE).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_prefix {
            Ok(Self(digits))
        } else {
            Err(IdPrefixError(text.to_owned()))
        }
    }
}

impl std::fmt::Display for IdPrefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_case_do_not_matter_and_short_or_foreign_words_are_refused() {
        let prefix: IdPrefix = "01931F4E-00".parse().unwrap();
        assert_eq!(prefix.to_string(), "01931f4e00");
        for text in ["", "01931", "0-1-9-3-1", "nine-lives", &"0".repeat(33)] {
            assert!(text.parse::<IdPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_spans_every_id_that_begins_so() {
        let prefix: IdPrefix = "01931f4e".parse().unwrap();
        let first = "01931f4e-0000-0000-0000-000000000000";
        let last = "01931f4e-ffff-ffff-ffff-ffffffffffff";
        assert_eq!(prefix.first(), first.parse::<Uuid>().unwrap());
        assert_eq!(prefix.last(), last.parse::<Uuid>().unwrap());
        let whole: IdPrefix = first.parse().unwrap();
        assert_eq!(whole.first(), whole.last());
    }
}
