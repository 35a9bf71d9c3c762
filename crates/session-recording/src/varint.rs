//! Numbers of seven bits a byte, lowest first; the top bit says that more follow.

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintProblem {
    /// The bytes end within it.
    CutOff,
    /// It has more than 64 bits, or zeros on top: one number would have two forms.
    Malformed,
}

/// Appends a number.
pub(crate) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number off the front.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<u64, VarintProblem> {
    let mut number = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        let low = u64::from(byte & 0x7f);
        // The tenth byte has room for the 64th bit only.
        let fits = index < 9 || (index == 9 && byte <= 1);
        let is_last = byte & 0x80 == 0;
        if !fits || (is_last && byte == 0 && index > 0) {
            return Err(VarintProblem::Malformed);
        }
        number |= low << (7 * index);
        if is_last {
            *bytes = &bytes[index + 1..];
            return Ok(number);
        }
    }
    Err(VarintProblem::CutOff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_survives_and_every_cut_is_told(number: u64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            for cut in 0..bytes.len() {
                prop_assert_eq!(take_varint(&mut &bytes[..cut]), Err(VarintProblem::CutOff));
            }
            bytes.push(7);
            let mut rest = &bytes[..];
            prop_assert_eq!(take_varint(&mut rest), Ok(number));
            prop_assert_eq!(rest, &[7][..]);
        }
    }

    #[test]
    fn a_second_form_of_a_number_and_a_65th_bit_are_refused() {
        for bytes in [&[0x80, 0][..], &[0xff; 10], &[0x80; 11]] {
            assert_eq!(take_varint(&mut &bytes[..]), Err(VarintProblem::Malformed));
        }
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(take_varint(&mut &largest[..]), Ok(u64::MAX));
    }
}
