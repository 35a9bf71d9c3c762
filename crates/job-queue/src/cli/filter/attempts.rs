//! How often a job was tried, as people compare it.

use std::str::FromStr;

/// Counted runs, between two numbers that both count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempts {
    pub(super) from: Option<i32>,
    pub(super) to: Option<i32>,
}

impl FromStr for Attempts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_start_matches(['<', '>', '=']);
        let (compared, number) = (&text[..text.len() - digits.len()], digits.parse::<i32>());
        let number = number.ok().filter(|number| *number >= 0);
        let number = number.ok_or_else(malformed)?;
        let between = |from, to| Ok(Self { from, to });
        match compared {
            "" | "=" => between(Some(number), Some(number)),
            ">=" => between(Some(number), None),
            ">" => between(Some(number.saturating_add(1)), None),
            "<=" => between(None, Some(number)),
            "<" => between(None, Some(number - 1)),
            _ => Err(malformed()),
        }
    }
}

fn malformed() -> String {
    "write a whole number, alone or behind >=, >, <=, < or =, in quotes for the shell: '>=3'"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_compared_by_the_sign_before_it() {
        for (text, from, to) in [
            ("3", Some(3), Some(3)),
            ("=3", Some(3), Some(3)),
            (">=3", Some(3), None),
            (">3", Some(4), None),
            ("<=3", None, Some(3)),
            ("<3", None, Some(2)),
            ("<0", None, Some(-1)),
        ] {
            assert_eq!(text.parse(), Ok(Attempts { from, to }), "{text}");
        }
        for text in ["", ">", "=>3", "-1", "three", "3>", ">= 3", "99999999999"] {
            assert!(text.parse::<Attempts>().is_err(), "{text}");
        }
    }
}
