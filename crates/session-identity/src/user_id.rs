//! The exam platform's name for a person: opaque to Carrel, but never empty, long or strange.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names a person as the exam platform does: 1 to 128 of `A-Z a-z 0-9 . _ @ : + -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "postgres", derive(sqlx::Type), sqlx(transparent))]
pub struct UserId(String);

/// Says why a text is not a user id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserIdError {
    /// Nothing was given.
    #[error("the user id is empty; give 1 to {max} characters", max = UserId::MAX_LENGTH)]
    Missing,
    /// More than [`UserId::MAX_LENGTH`] characters were given.
    #[error("the user id has {length} characters; at most {max} are allowed", max = UserId::MAX_LENGTH)]
    TooLong {
        /// How many characters were given.
        length: usize,
    },
    /// A character outside the alphabet was given.
    #[error(
        "the user id has {character:?} at position {position}; only letters, digits and . _ @ : + - are allowed"
    )]
    IllegalCharacter {
        /// The first one that is not allowed.
        character: char,
        /// Its place, counted in characters from 1.
        position: usize,
    },
}

impl UserId {
    /// How many characters a user id may have.
    pub const MAX_LENGTH: usize = 128;

    /// Checks a text and takes it as a user id.
    ///
    /// # Errors
    /// [`UserIdError`], naming the first thing wrong.
    pub fn parse(text: &str) -> Result<Self, UserIdError> {
        let length = text.chars().count();
        if length == 0 {
            return Err(UserIdError::Missing);
        }
        if length > Self::MAX_LENGTH {
            return Err(UserIdError::TooLong { length });
        }
        match text
            .chars()
            .enumerate()
            .find(|(_, character)| !is_allowed(*character))
        {
            Some((index, character)) => Err(UserIdError::IllegalCharacter {
                character,
                position: index + 1,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._@:+-".contains(character)
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for UserId {
    type Error = UserIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_whole_alphabet_and_both_lengths_are_accepted() {
        for text in ["u", "u-1042", "a.b_c@d:e+f-g", &"x".repeat(128)] {
            assert_eq!(UserId::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn each_way_to_be_wrong_is_named() {
        assert_eq!(UserId::parse(""), Err(UserIdError::Missing));
        assert_eq!(
            UserId::parse(&"x".repeat(129)),
            Err(UserIdError::TooLong { length: 129 })
        );
        for (text, character, position) in [
            ("a b", ' ', 2),
            ("ü", 'ü', 1),
            ("a/b", '/', 2),
            ("a\0", '\0', 2),
            ("a\n", '\n', 2),
        ] {
            assert_eq!(
                UserId::parse(text),
                Err(UserIdError::IllegalCharacter {
                    character,
                    position
                })
            );
        }
    }

    #[test]
    fn json_is_checked_like_any_other_way_in() {
        assert!(serde_json::from_str::<UserId>("\"u-1\"").is_ok());
        assert!(serde_json::from_str::<UserId>("\"\"").is_err());
        assert!(serde_json::from_str::<UserId>("\"a b\"").is_err());
    }

    proptest! {
        #[test]
        fn a_text_is_accepted_exactly_when_it_fits_the_pattern(text in "\\PC{0,140}") {
            let fits = !text.is_empty() && text.chars().count() <= 128 && text.chars().all(is_allowed);
            prop_assert_eq!(UserId::parse(&text).is_ok(), fits);
        }
    }
}
