//! The short reference a candidate reads aloud and an operator types back.

use std::fmt::{self, Display};
use std::str::FromStr;

use uuid::Uuid;

/// Crockford's alphabet: no I, L, O or U, so nothing is misread or rude.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const LETTERS: usize = 6;

/// What a reference knows of a session's id: its last 30 bits, which are random in a `UUIDv7`.
///
/// Written as six letters of Crockford's base 32, such as `7F3K-22`; read in capitals or small
/// letters, with or without the dash, O for zero and I or L for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference(u32);

/// What is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no reference: it has six letters and digits without U, such as 7F3K-22")]
pub struct ReferenceError {
    text: String,
}

impl Reference {
    /// Takes what a session's id ends with.
    pub const fn of(session_id: Uuid) -> Self {
        Self((session_id.as_u128() & 0x3FFF_FFFF) as u32)
    }

    /// The last 30 bits of the ids it may mean.
    pub const fn id_tail(self) -> u32 {
        self.0
    }
}

impl Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String = (0..LETTERS)
            .rev()
            .map(|place| letter(self.0 >> (5 * place)))
            .collect();
        write!(formatter, "{}-{}", &letters[..4], &letters[4..])
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ReferenceError {
            text: text.chars().take(64).collect(),
        };
        let letters = text.chars().filter(|letter| !matches!(letter, '-' | ' '));
        let bits: Option<Vec<u32>> = letters.map(bits).collect();
        let bits = bits
            .filter(|bits| bits.len() == LETTERS)
            .ok_or_else(wrong)?;
        Ok(Self(bits.iter().fold(0, |all, five| (all << 5) | five)))
    }
}

/// Derives the reference of a session, such as `7F3K-22`, from its id.
///
/// An operator finds the session by it (`carrel sessions list --reference`), and nothing about the
/// id's time or neighbours can be read from it. It names no session by itself and opens nothing.
pub fn reference(session_id: Uuid) -> String {
    Reference::of(session_id).to_string()
}

fn letter(bits: u32) -> char {
    char::from(ALPHABET[(bits & 31) as usize])
}

fn bits(letter: char) -> Option<u32> {
    let meant = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = ALPHABET
        .iter()
        .position(|known| char::from(*known) == meant)?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_reference_is_four_letters_a_dash_and_two() {
        assert_eq!(reference(Uuid::nil()), "0000-00");
        assert_eq!(reference(Uuid::max()), "ZZZZ-ZZ");
        assert_eq!(
            reference(Uuid::from_u128(0b00001_00010_00011_00100_00101_00110)),
            "1234-56"
        );
    }

    #[test]
    fn sessions_of_one_exam_have_different_references() {
        let references: HashSet<_> = (0..300).map(|_| reference(Uuid::now_v7())).collect();
        assert!(references.len() >= 299, "{} of 300", references.len());
    }

    #[test]
    fn what_was_read_aloud_is_understood_however_it_is_typed() {
        for _ in 0..300 {
            let id = Uuid::now_v7();
            let typed = reference(id).to_lowercase().replace('-', "");
            assert_eq!(typed.parse(), Ok(Reference::of(id)), "{typed}");
        }
        let meant: Reference = "10A1-0B".parse().unwrap();
        for typed in ["ioal-ob", "LOA1 OB", "10a10b"] {
            assert_eq!(typed.parse(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn anything_else_is_no_reference() {
        for typed in ["", "7F3K-2", "7F3K-222", "7F3K-2U", "7F3K_22", "7F3K-2é"] {
            let error = typed.parse::<Reference>().unwrap_err();
            assert!(error.to_string().contains("7F3K-22"), "{error}");
        }
    }
}
