//! Text of others, made harmless for a terminal.

/// Takes out control characters, and whole control sequences with them; tabs stay.
///
/// What an environment wrote must not move the reader's cursor, set a title or answer for them.
pub(super) fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' => match rest.next() {
                Some('[') => skip_control_sequence(&mut rest),
                // Strings to the terminal: OSC, DCS, SOS, PM, APC.
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut rest),
                Some(_) | None => {}
            },
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{9d}' | '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\t' => plain.push(next),
            next if next.is_control() => {}
            next => plain.push(next),
        }
    }
    plain
}

/// Up to its final byte.
fn skip_control_sequence(rest: &mut impl Iterator<Item = char>) {
    rest.find(|next| ('@'..='~').contains(next));
}

/// Up to BEL or ST, which is one character or ESC and a backslash.
fn skip_string(rest: &mut impl Iterator<Item = char>) {
    while let Some(next) = rest.next() {
        match next {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_taken_out_whole() {
        for (written, shown) in [
            ("a\tb é", "a\tb é"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]0;title\u{1b}\\x", "x"),
            ("\u{1b}P1;2|data\u{9c}x", "x"),
            ("\u{9b}2Jx", "x"),
            ("a\rb\u{8}\u{0}c", "abc"),
            ("x\u{1b}", "x"),
            ("x\u{1b}[", "x"),
            ("\u{1b}]never ended", ""),
            ("\u{1b}cx", "x"),
        ] {
            assert_eq!(plain(written), shown, "{written:?}");
        }
    }
}
