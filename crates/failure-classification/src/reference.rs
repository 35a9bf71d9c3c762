//! The short reference a candidate reads aloud and an operator types back.

use uuid::Uuid;

/// Crockford's alphabet: no I, L, O or U, so nothing is misread or rude.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Derives the reference of a session, such as `7F3K-22`, from its id.
///
/// Six letters of Crockford's base 32 carry the id's last 30 bits, which are random in a `UUIDv7`:
/// an operator finds the session among one exam's by the end of its id, and nothing about the id's
/// time or neighbours can be read from it. It names no session by itself and opens nothing.
pub fn reference(session_id: Uuid) -> String {
    let bits = session_id.as_u128();
    let letters: String = (0..6)
        .rev()
        .map(|place| letter(bits >> (5 * place)))
        .collect();
    format!("{}-{}", &letters[..4], &letters[4..])
}

fn letter(bits: u128) -> char {
    char::from(ALPHABET[(bits & 31) as usize])
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
}
